"""What an estimate counts, and which speeds a training leaves behind."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

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
def session(tiny_run):
    """Configuration, images and split of the small run, whose embeddings are cached."""
    return prepare(RunDir(tiny_run).config)


@pytest.fixture(autouse=True)
def without_accelerator(monkeypatch):
    monkeypatch.setattr(est, "best_device", lambda: "cpu")


@pytest.fixture
def own_speeds(tmp_path, monkeypatch):
    """The file of speeds that only this test remembers; embeddings are where they were."""
    monkeypatch.setattr(est, "cache_dir", lambda: tmp_path)
    return est._path()


def work(session, *, encoded=400, measured=2.0):
    """What a training tells: `encoded` images at 100 a second, and ten steps."""
    yield Progress("encoding view 0", encoded // 4, encoded, 1.0)
    yield Progress("encoding view 0", encoded, encoded, encoded / 100)
    for step in range(1, 11):
        yield Event("step", step / 10, step, 10)
    yield Event("epoch", 1.0, 10, 10)
    yield Progress("measuring", 3, 3, measured)


def told(session, monkeypatch, **more):
    """Let a training end whose steps take a fifth of a second each."""
    clock = itertools.count()
    monkeypatch.setattr(est, "time", SimpleNamespace(monotonic=lambda: 0.2 * next(clock)))
    items = list(work(session, **more))
    assert list(est.remembering(session, iter_of(items))) == items


def iter_of(items):
    yield from items


def keys(session):
    return est._speeds(session.config, session.images, session.backbone.width, "cpu")


def of(session, **changes):
    config = replace(session.config, **changes)
    return est.estimate(config, session.images, draw(session.images, config.data))


def test_a_real_training_leaves_the_speeds_of_the_next(session, tiny_run):
    result = of(session)
    assert result.images == 0 and result.encoding == 0  # all are cached now
    assert result.steps == max(e["step"] for e in RunDir(tiny_run).events("step", "epoch"))
    assert 0 < result.training < 60 and 0 < result.measuring < 60
    assert result.seconds == est.STARTING + result.training + result.measuring


def test_nothing_is_told_before(session, own_speeds):
    assert of(session) is None


def test_seconds_follow_from_what_the_last_training_took(session, own_speeds, monkeypatch):
    told(session, monkeypatch)
    batch, speeds = session.config.schedule.batch, read_object(own_speeds)
    assert speeds[keys(session).encoding] == 100
    more = replace(session.config.schedule, epochs=20, views=4)
    result = of(session, schedule=more)
    assert (result.images, result.encoding) == (2 * 180, pytest.approx(3.6))  # views that nobody has encoded
    nine_steps_took = 11 * 0.2  # from the first of eleven events to the last, which the clock is asked for
    assert result.training == pytest.approx(20 * (180 // batch) * nine_steps_took / 9)
    assert result.measuring == pytest.approx(2.0)


def test_other_batches_are_as_fast_and_another_head_or_device_is_unknown(session, own_speeds, monkeypatch):
    told(session, monkeypatch)
    schedule = session.config.schedule
    whole, half = (of(session, schedule=replace(schedule, batch=batch)) for batch in (90, 45))
    assert whole.steps * 2 == half.steps and whole.training == pytest.approx(half.training)
    assert of(session, quantizer=QuantizerConfig(bits=16)) is None
    assert of(session, backbone=replace(session.config.backbone, image_size=64)) is None
    assert of(session, backbone=replace(session.config.backbone, train="all")) is None
    monkeypatch.setattr(est, "best_device", lambda: "cuda")
    assert of(session) is None


def test_a_training_that_had_nothing_to_encode_keeps_the_speed_of_encoding(session, own_speeds, monkeypatch):
    told(session, monkeypatch, encoded=est.ENOUGH - 1)
    more = replace(session.config.schedule, views=3)
    assert of(session) is not None and of(session, schedule=more) is None
    told(session, monkeypatch)
    told(session, monkeypatch, encoded=0)
    assert of(session, schedule=more).encoding == pytest.approx(1.8)


def test_a_training_that_was_stopped_is_closed_and_leaves_nothing(session, own_speeds):
    closed = []

    def training():
        try:
            yield from work(session)
        finally:
            closed.append(True)

    items = est.remembering(session, training())
    next(items)
    items.close()
    assert closed and not own_speeds.exists()


def test_what_a_stopped_training_raises_as_it_saves_is_not_lost(session, own_speeds):
    def training():
        try:
            yield from work(session)
        finally:
            raise OSError("the disk is full")

    items = est.remembering(session, training())
    next(items)
    with pytest.raises(OSError, match="full"):
        items.close()


@pytest.mark.parametrize("content", ["", "[]", "{%s: 3}", "{%s: {}}", '{%s: {"fingerprint": 1, "width": "x"}}'])
def test_a_damaged_file_tells_nothing(session, own_speeds, content):
    key = json.dumps(est._backbone(session.config.backbone, session.images))
    own_speeds.write_text(content.replace("%s", key))
    assert of(session) is None


def test_custom_images_have_a_speed_of_their_own(session, tmp_path):
    """Another folder of the same kind, or a changed one, decodes at another speed."""
    encoding = set()
    for n in (4, 5):
        folder = tmp_path / str(n)
        folder.mkdir()
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


def test_a_backbone_that_learns_encodes_only_what_is_searched(session):
    learning = replace(session.config, backbone=replace(session.config.backbone, train="all"))
    assert counted(learning, session.images, session.split) == 200 + 40
