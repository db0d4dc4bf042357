"""What tests share: a cache and runs of their own, and one small run on real images."""

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TINY = [
    *("--dataset", "cifar10", "--train-limit", "200", "--database-limit", "200", "--query-limit", "40"),
    *("--epochs", "2", "--views", "2", "--batch", "50", "--image-size", "32", "--backbone", "efficientnet-lite0"),
]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing is read from, or left in, the cache of whoever runs the tests."""
    before = os.environ.get("TRANSCLIPPED_CACHE")
    os.environ["TRANSCLIPPED_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["TRANSCLIPPED_CACHE"]
    else:
        os.environ["TRANSCLIPPED_CACHE"] = before


@contextmanager
def registries_restored():
    """What is registered inside is forgotten afterwards."""
    from transclipped import clipping, losses
    from transclipped.models import custom

    registries = clipping.RULES, losses.LOSSES, custom.BACKBONES
    before = [dict(registry) for registry in registries]
    yield
    for registry, was in zip(registries, before, strict=True):
        registry.clear()
        registry.update(was)


@pytest.fixture
def own_registries():
    """What a test registers is forgotten afterwards."""
    with registries_restored():
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, own_cache):
    """Path of a finished run: 200 real images, 40 queries, two epochs."""
    from transclipped.cli import main

    path = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", *TINY, "--validation", "20", "--run", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def transformer_run(tmp_path_factory, own_cache):
    """Path of a finished run over the hybrid ViT with random weights: 60 real images, 8 queries, 16 bits."""
    import torch

    from transclipped.cli import main
    from transclipped.models.hybrid import hybrid_vit, without_stem
    from transclipped.models.weights import save_tensors

    folder = tmp_path_factory.mktemp("transformer")
    torch.manual_seed(0)
    save_tensors(folder / "weights.safetensors", without_stem(hybrid_vit().state_dict()))
    flags = ["--dataset", "cifar10", "--train-limit", "60", "--database-limit", "60", "--query-limit", "8"]
    flags += ["--epochs", "1", "--views", "2", "--batch", "30", "--image-size", "64", "--bits", "16"]
    flags += ["--backbone", "hybrid-vit", "--weights", str(folder / "weights.safetensors")]
    assert main(["train", *flags, "--run", str(folder / "transformer")]) == 0
    return folder / "transformer"


@pytest.fixture
def children(monkeypatch):
    """Stand-ins for the child processes that jobs start, in order; they end with the test."""
    from tests.children import Child
    from transclipped.utils import jobs

    started: list[Child] = []

    def spawn(arguments: list[str], **options) -> Child:
        started.append(Child(arguments))
        return started[-1]

    monkeypatch.setattr(jobs, "spawn", spawn)
    yield started
    for child in started:
        child.end()


@pytest.fixture
def listening(monkeypatch):
    """Sets the address that the app listens on, and the headers that the visitor's browser sends."""
    import streamlit as st
    from streamlit.runtime.context import StreamlitHeaders

    from transclipped.ui import access

    option = st.get_option

    def listen(address, **headers) -> None:
        sent = StreamlitHeaders([(name.replace("_", "-"), value) for name, value in headers.items()])
        monkeypatch.setattr(st, "get_option", lambda name: address if name == "server.address" else option(name))
        monkeypatch.setattr(type(st.context), "headers", property(lambda context: sent))

    monkeypatch.delenv(access.OPEN, raising=False)
    monkeypatch.delenv(access.ROOTS, raising=False)
    monkeypatch.setattr(access, "_offered", set())
    return listen


@pytest.fixture
def opened_up(listening) -> None:
    """A visitor of an app that is open to the network, without the token."""
    listening("0.0.0.0", Host="192.0.2.7:8501", Origin="http://192.0.2.7:8501")


@pytest.fixture(scope="session")
def tiny():
    """200 real images, 40 queries, 180 left to train: 3 steps an epoch. Keywords replace whole sections."""
    from transclipped.config import BackboneConfig, DataConfig, RunConfig, ScheduleConfig

    config = RunConfig(
        data=DataConfig(train_limit=200, database_limit=200, query_limit=40, validation=20),
        backbone=BackboneConfig(name="efficientnet-lite0", image_size=32),
        schedule=ScheduleConfig(epochs=3, views=2, batch=50),
    )
    return lambda **changes: replace(config, **changes)
