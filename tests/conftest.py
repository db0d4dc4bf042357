"""Shared fixtures: a temporary cache, restored registries, and small runs on real images."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.children import Child
from transclipped.cli import main
from transclipped.config import BackboneConfig, DataConfig, RunConfig, ScheduleConfig

TINY = [
    *("--dataset", "cifar10", "--train-limit", "200", "--database-limit", "200", "--query-limit", "40"),
    *("--epochs", "2", "--views", "2", "--batch", "50", "--image-size", "32", "--backbone", "efficientnet-lite0"),
]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Use a temporary cache instead of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSCLIPPED_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def refused(capsys, *argv):
    """Run a command that must exit with status 2; returns the last line of its messages."""
    capsys.readouterr()
    assert main([*map(str, argv)]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("transclipped: ") and "Traceback" not in message
    return message


@contextmanager
def registries_restored():
    """Undo what is registered inside."""
    from transclipped import clipping, losses
    from transclipped.experiments.pipelines import pipeline  # noqa: F401 - registers stages, once for all tests
    from transclipped.models import custom
    from transclipped.retrieval import line, stages

    line.load_methods()
    registries = clipping.RULES, losses.LOSSES, custom.BACKBONES, stages.STAGES
    before = [dict(registry) for registry in registries]
    yield
    for registry, parts in zip(registries, before, strict=True):
        registry.clear()
        registry.update(parts)


@pytest.fixture
def own_registries():
    """Undo what a test registers."""
    with registries_restored():
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, own_cache):
    """Path of a finished run: 200 real images, 40 queries, two epochs."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", *TINY, "--validation", "20", "--run", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def transformer_run(tmp_path_factory, own_cache):
    """Path of a finished run over the hybrid ViT with random weights: 60 real images, 8 queries, 16 bits."""
    import torch

    from transclipped.models.hybrid import hybrid_vit, without_stem
    from transclipped.models.weights import save_tensors

    folder = tmp_path_factory.mktemp("transformer")
    torch.manual_seed(0)
    save_tensors(folder / "weights.safetensors", without_stem(hybrid_vit().state_dict()))
    flags = "--dataset cifar10 --train-limit 60 --database-limit 60 --query-limit 8 --epochs 1 --views 2 --batch 30 "
    flags += "--image-size 64 --bits 16 --backbone hybrid-vit --weights"
    words = ["train", *flags.split(), folder / "weights.safetensors", "--run", folder / "transformer"]
    assert main([*map(str, words)]) == 0
    return folder / "transformer"


@pytest.fixture
def children(monkeypatch):
    """Stand-ins for the child processes that jobs start, in order; the fixture ends them."""
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
    """A function that sets the address that the app listens on, and the headers that the browser sends."""
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
    """A visitor without a token, of an app that is open to the network."""
    listening("0.0.0.0", Host="192.0.2.7:8501", Origin="http://192.0.2.7:8501")


@pytest.fixture(scope="session")
def tiny():
    """A function: settings of 200 images, 40 queries, 180 to train, 3 steps per epoch; keywords replace sections."""
    config = RunConfig(
        data=DataConfig(train_limit=200, database_limit=200, query_limit=40, validation=20),
        backbone=BackboneConfig(name="efficientnet-lite0", image_size=32),
        schedule=ScheduleConfig(epochs=3, views=2, batch=50),
    )
    return lambda **changes: replace(config, **changes)
