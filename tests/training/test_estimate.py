"""Counts of an estimate, and the speeds stored by a training."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import TINY
from transclipped.cli import main
from transclipped.config import DataConfig, QuantizerConfig
from transclipped.datasets.protocols import draw
from transclipped.datasets.registry import load
from transclipped.features.cache import Progress
from transclipped.models.backbone import load_backbone
from transclipped.runs.run import RunDir
from transclipped.runs.session import prepare
from transclipped.training import estimate as est
from transclipped.training.trainer import Event
from transclipped.utils.files import read_object


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished small run with a separate cache: others may have encoded more views of the same images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSCLIPPED_CACHE", str(tmp_path_factory.mktemp("cache")))
        path = tmp_path_factory.mktemp("runs") / "tiny"
        assert main(["train", *TINY, "--validation", "20", "--run", str(path)]) == 0
        yield RunDir(path)


@pytest.fixture(scope="module")
def session(run):
    """The session of the small run, whose embeddings are cached."""
    return prepare(run.config)


@pytest.fixture(autouse=True)
def without_accelerator(monkeypatch):
    monkeypatch.setattr(est, "best_device", lambda: "cpu")


@pytest.fixture
def own_speeds(tmp_path, monkeypatch):
    """A separate file of speeds; the embeddings stay cached."""
    monkeypatch.setattr(est, "cache_dir", lambda: tmp_path)
    return est._path()


def work(session, *, encoded=400, measured=2.0):
    """The items of a training that encodes `encoded` images at 100 per second and takes ten steps."""
    yield Progress("encoding view 0", encoded // 4, encoded, 1.0)
    yield Progress("encoding view 0", encoded, encoded, encoded / 100)
    for step in range(1, 11):
        yield Event("step", step / 10, step, 10)
    yield Event("epoch", 1.0, 10, 10)
    yield Progress("measuring", 3, 3, measured)


def finish(session, monkeypatch, **options):
    """Store the speeds of a training whose steps take a fifth of a second each."""
    clock = itertools.count()
    monkeypatch.setattr(est, "time", SimpleNamespace(monotonic=lambda: 0.2 * next(clock)))
    assert list(est.storing_speeds(session, work(session, **options))) == list(work(session, **options))


def keys(session):
    return est._speeds(session.config, session.images, session.backbone.width, "cpu")


def of(session, **changes):
    config = replace(session.config, **changes)
    return est.estimate(config, session.images, draw(session.images, config.data))


def test_estimate_after_a_real_training(session, run):
    result = of(session)
    assert result.images == 0 and result.encoding == 0  # all are cached now
    assert result.steps == max(e["step"] for e in run.events("step", "epoch"))
    assert 0 < result.training < 60 and 0 < result.measuring < 60
    assert result.seconds == est.STARTING + result.training + result.measuring


def test_no_estimate_before_any_training(session, own_speeds):
    assert of(session) is None


def test_seconds_follow_from_the_last_speeds(session, own_speeds, monkeypatch):
    finish(session, monkeypatch)
    batch, speeds = session.config.schedule.batch, read_object(own_speeds)
    assert speeds[keys(session).encoding] == 100
    more = replace(session.config.schedule, epochs=20, views=4)
    result = of(session, schedule=more)
    assert (result.images, result.encoding) == (2 * 180, pytest.approx(3.6))  # two new views
    nine_steps = 11 * 0.2  # seconds by the clock, which is read at each of eleven events
    assert result.training == pytest.approx(20 * (180 // batch) * nine_steps / 9)
    assert result.measuring == pytest.approx(2.0)


def test_speed_applies_to_other_batches_but_not_to_another_head_or_device(session, own_speeds, monkeypatch):
    finish(session, monkeypatch)
    schedule = session.config.schedule
    whole, half = (of(session, schedule=replace(schedule, batch=batch)) for batch in (90, 45))
    assert whole.steps * 2 == half.steps and whole.training == pytest.approx(half.training)
    assert of(session, quantizer=QuantizerConfig(bits=16)) is None
    assert of(session, backbone=replace(session.config.backbone, image_size=64)) is None
    assert of(session, backbone=replace(session.config.backbone, train="all")) is None
    monkeypatch.setattr(est, "best_device", lambda: "cuda")
    assert of(session) is None


def test_training_without_encoding_keeps_the_encoding_speed(session, own_speeds, monkeypatch):
    finish(session, monkeypatch, encoded=est.MIN_ENCODED - 1)
    more = replace(session.config.schedule, views=3)
    assert of(session) is not None and of(session, schedule=more) is None
    finish(session, monkeypatch)
    finish(session, monkeypatch, encoded=0)
    assert of(session, schedule=more).encoding == pytest.approx(1.8)


def test_stopped_training_is_closed_with_its_errors_and_stores_no_speed(session, own_speeds):
    def training():
        try:
            yield from work(session)
        finally:
            raise OSError("the disk is full")

    items = est.storing_speeds(session, training())
    next(items)
    with pytest.raises(OSError, match="full"):
        items.close()
    assert not own_speeds.exists()


@pytest.mark.parametrize("content", ["", "[]", "{%s: 3}", "{%s: {}}", '{%s: {"fingerprint": 1, "width": "x"}}'])
def test_damaged_file_gives_no_estimate(session, own_speeds, content):
    key = json.dumps(est._backbone(session.config.backbone, session.images))
    own_speeds.write_text(content.replace("%s", key))
    assert of(session) is None


def test_each_folder_of_images_has_a_separate_speed(session, tmp_path):
    encoding = set()
    for n in (4, 5):
        (folder := tmp_path / str(n)).mkdir()
        for row in range(n):
            (folder / f"{row}.png").write_bytes(session.images.encoded(row))
        images = load(DataConfig(dataset="folder", data=str(folder)))
        encoding.add(est._speeds(session.config, images, 8, "cpu").encoding)
    assert len(encoding) == 2


def counted(config, images, split) -> int:
    return est.n_encoded(config, images, split, load_backbone(config.backbone, default_size=images.default_size))


def test_another_view_or_seed_is_to_be_encoded(session):
    config, images, split = session.config, session.images, session.split
    assert counted(config, images, split) == 0
    more = replace(config, schedule=replace(config.schedule, views=4))
    assert counted(more, images, split) == 2 * len(split.train) == 2 * 180
    other = replace(config, data=replace(config.data, seed=9))
    split = draw(images, other.data)
    plain = len(set(np.concatenate([split.train, split.validation, split.database, split.query]).tolist()))
    assert counted(other, images, split) == plain + len(split.train)


def test_training_the_backbone_encodes_only_queries_and_database(session):
    learning = replace(session.config, backbone=replace(session.config.backbone, train="all"))
    assert counted(learning, session.images, session.split) == 200 + 40
