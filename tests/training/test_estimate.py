"""What an estimate counts, and that speeds are measured once."""

import json
from dataclasses import replace

import numpy as np
import pytest

from transclipped.config import BackboneConfig
from transclipped.datasets.protocols import draw
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.models.backbone import load_backbone
from transclipped.runs.run import RunDir
from transclipped.training import estimate as est
from transclipped.utils.files import cache_dir


@pytest.fixture(scope="module")
def tiny(tiny_run):
    """Configuration, pictures and split of the small run, whose embeddings are cached."""
    config = RunDir(tiny_run).config
    images = load(config.data)
    return config, images, draw(images, config.data)


@pytest.fixture
def own_speeds(tmp_path, monkeypatch):
    """A speed.json that only this test writes."""
    monkeypatch.setattr(est, "cache_dir", lambda: tmp_path)
    return tmp_path / "speed.json"


def counted(config, images, split) -> est.Work:
    return est.work(config, images, split, load_backbone(config.backbone, default_size=images.default_size))


def test_what_a_finished_run_has_encoded_is_not_counted_again(tiny, tiny_run):
    config, images, split = tiny
    found = counted(config, images, split)
    assert found.pictures == 0
    assert found.steps == max(e["step"] for e in RunDir(tiny_run).events("step", "epoch"))
    assert found.pairs == 3 * 40 * 200


def test_another_view_or_seed_is_to_be_encoded(tiny):
    config, images, split = tiny
    more = replace(config, schedule=replace(config.schedule, views=4))
    assert counted(more, images, split).pictures == 2 * len(split.train) == 2 * 180
    other = replace(config, data=replace(config.data, seed=9))
    split = draw(images, other.data)
    plain = len(set(np.concatenate([split.train, split.validation, split.database, split.query]).tolist()))
    assert counted(other, images, split).pictures == plain + len(split.train)


def test_a_backbone_that_learns_is_counted_in_every_epoch(tiny):
    config, images, split = tiny
    learning = replace(config, backbone=replace(config.backbone, train="all"))
    once = counted(learning, images, split).pictures
    twice = replace(learning, schedule=replace(config.schedule, epochs=2 * config.schedule.epochs))
    grown = counted(twice, images, split).pictures - once
    assert grown == config.schedule.epochs * (2 * 3 * 180 + 200)  # two views, forth and back; then validation


def test_seconds_add_up_and_training_goes_with_the_epochs(tiny, own_speeds):
    config, images, split = tiny
    short = est.estimate(config, images, split)
    assert short.seconds == short.starting + short.encoding + short.training + short.measuring
    assert short.encoding == 0 and short.training > 0 and short.measuring > 0
    long = est.estimate(replace(config, schedule=replace(config.schedule, epochs=20)), images, split)
    assert long.training == pytest.approx(10 * short.training)


def test_speeds_are_measured_once_and_again_after_forgetting(tiny, own_speeds, monkeypatch):
    config, images, split = tiny
    first = est.estimate(config, images, split)
    assert est.measured(config, images) and len(json.loads(own_speeds.read_text())) == 3
    monkeypatch.setattr(est, "_images_per_s", lambda *_: 1.5)
    assert est.estimate(config, images, split) == first
    est.forget()
    assert not est.measured(config, images)
    assert est.estimate(config, images, split).images_per_s == 1.5


def test_damaged_memory_is_measured_again(tiny, own_speeds):
    config, images, split = tiny
    for content in (b"\x00", b"[]"):
        own_speeds.write_bytes(content)
        assert est.estimate(config, images, split).images_per_s > 0


def test_a_timm_network_is_timed_without_its_weights(tiny, own_speeds, monkeypatch):
    """No hub is asked, and since the weights are unknown nothing counts as cached."""
    config, images, split = tiny
    monkeypatch.setattr(est, "load_backbone", None)
    config = replace(config, backbone=BackboneConfig(name="test_vit"))
    found = est.estimate(config, images, split)
    assert found.work.pictures == 240 + 180 and found.images_per_s > 0


def test_unknown_and_huge_networks_are_refused_in_a_sentence(tiny, own_speeds):
    config, images, split = tiny
    for name, match in (("no-such-net", "no backbone"), ("vit_giant_patch14_clip_224", "million parameters")):
        with pytest.raises(InputError, match=match):
            est.estimate(replace(config, backbone=BackboneConfig(name=name)), images, split)
    assert cache_dir().exists() and not own_speeds.exists()
