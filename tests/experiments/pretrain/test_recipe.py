"""The hybrid's recipe on a few real images: losses fall, stages resume, and the weights load."""

import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from transclipped.config import BackboneConfig, ClippingConfig, DataConfig
from transclipped.datasets.base import EncodedSet
from transclipped.datasets.protocols import draw
from transclipped.errors import InputError
from transclipped.experiments.pretrain import recipe as module
from transclipped.experiments.pretrain.corpora import chosen_corpora, parsed_teacher
from transclipped.experiments.pretrain.recipe import RESULT, BudgetSpent, PretrainConfig, pretrain
from transclipped.models.backbone import load_backbone
from transclipped.models.hybrid import STEM_PREFIX, hybrid_vit, without_stem
from transclipped.models.weights import load_tensors
from transclipped.models.zoo import HYBRID
from transclipped.training.trainer import Event

TINY = PretrainConfig(
    teachers=("efficientnet-lite0@64",),
    views=2,
    limit=32,
    batch=16,
    distill_epochs=4,
    contrast_epochs=3,
    distill_lr=5e-3,
    clipping=ClippingConfig(rule="adaptive"),
)


def losses(folder, stage):
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["stage"] == stage]


def stop_after(n, config, folder):
    """Pretrain for n steps, then close the generator."""
    work = pretrain(config, folder)
    steps = (item for item in work if isinstance(item, Event) and item.kind == "step")
    next(itertools.islice(steps, n - 1, None), None)
    work.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, own_cache):
    """An uninterrupted pretraining."""
    folder = tmp_path_factory.mktemp("pretrain")
    list(pretrain(TINY, folder))
    return folder


def test_losses_of_both_stages_fall(whole):
    distilled, contrasted = losses(whole, "distilled"), losses(whole, "contrasted")
    assert (len(distilled), len(contrasted)) == (4, 3) and distilled[-1] < 0.95 * distilled[0]
    assert min(contrasted[1:]) < contrasted[0]


def test_no_epoch_is_logged_twice_after_a_kill_before_the_checkpoint(whole, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*a, **k):
        raise Killed

    save = module.save_tensors
    work = pretrain(TINY, tmp_path)
    for item in work:
        if isinstance(item, Event) and item.kind == "epoch" and item.epoch == 2:
            monkeypatch.setattr(module, "save_tensors", killed)
        if isinstance(item, Event) and item.epoch > 2:
            break
    with pytest.raises(Killed):
        work.close()
    monkeypatch.setattr(module, "save_tensors", save)
    assert len(losses(tmp_path, "distilled")) == 2  # of which the checkpoint knows none
    list(pretrain(TINY, tmp_path))
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["epoch"]) for line in lines] == [
        *(("distilled", epoch) for epoch in (1, 2, 3, 4)),
        *(("contrasted", epoch) for epoch in (1, 2, 3)),
    ]
    for stage in ("distilled", "contrasted"):
        assert losses(tmp_path, stage) == losses(whole, stage)


def test_exported_weights_load_strictly_and_embed(whole):
    state = load_tensors(whole / RESULT)
    assert state.keys() == without_stem(hybrid_vit().state_dict()).keys()
    assert all(tensor.dtype == torch.float16 for tensor in state.values())
    backbone = load_backbone(BackboneConfig(name=HYBRID, weights=str(whole / RESULT)))
    for size in (64, 96, 256):
        with torch.inference_mode():
            result = backbone(torch.randn(2, 3, size, size))
        assert result.shape == (2, 256) and torch.isfinite(result).all()


def test_contrast_continues_from_distillation(whole):
    distilled, contrasted = load_tensors(whole / "distilled.safetensors"), load_tensors(whole / RESULT)
    name = "blocks.0.attn.qkv.weight"
    moved = (distilled[name].float() - contrasted[name].float()).abs().mean()
    assert 0 < moved < 0.5 * distilled[name].float().abs().mean()


def test_resuming_in_each_stage_gives_the_same_weights(whole, tmp_path):
    for stop in (7, 18):  # steps of a call: 6 make an epoch of the first stage, 24 all of it
        stop_after(stop, TINY, tmp_path)
        assert not (tmp_path / RESULT).exists()
    list(pretrain(TINY, tmp_path))
    expected, result = load_tensors(whole / RESULT), load_tensors(tmp_path / RESULT)
    assert all(torch.equal(result[name], tensor) for name, tensor in expected.items())


def test_resuming_with_neighbours_gives_the_same_weights(whole, tmp_path):
    config = replace(TINY, distill_epochs=0, neighbours=2, neighbour_share=0.5, start=str(whole / RESULT))
    list(pretrain(config, tmp_path / "whole"))
    stop_after(3, config, tmp_path / "stopped")  # 2 make an epoch
    list(pretrain(config, tmp_path / "stopped"))
    near = [np.load(tmp_path / "stopped" / f"neighbours-{epoch}.npy") for epoch in range(3)]
    assert all(rows.shape == (32, 2) for rows in near)
    expected, result = (load_tensors(tmp_path / name / RESULT) for name in ("whole", "stopped"))
    assert all(torch.equal(result[name], tensor) for name, tensor in expected.items())
    without = replace(config, neighbours=0)
    list(pretrain(without, tmp_path / "without"))
    other = load_tensors(tmp_path / "without" / RESULT)
    assert any(not torch.equal(other[name], tensor) for name, tensor in expected.items())


def test_spent_budget_is_reported_and_a_finished_recipe_does_nothing(whole, tmp_path):
    with pytest.raises(BudgetSpent):
        list(pretrain(TINY, tmp_path, minutes=1e-9))
    assert not (tmp_path / RESULT).exists() and list(pretrain(TINY, whole, minutes=1e-9)) == []


def test_other_settings_in_the_same_folder_are_rejected(whole):
    with pytest.raises(InputError, match="other settings"):
        list(pretrain(replace(TINY, seed=1), whole))


def test_refinement_trains_the_stem_too_and_stores_it(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(EncodedSet, "all_pixels", None)  # decoding all 60,000 images pays only for long trainings
    config = replace(TINY, distill_epochs=0, contrast_epochs=0, refine_epochs=1, start=str(whole / RESULT))
    list(pretrain(config, tmp_path))
    state = load_tensors(tmp_path / RESULT)
    assert without_stem(hybrid_vit().state_dict()).keys() < state.keys() <= hybrid_vit().state_dict().keys()
    known = {STEM_PREFIX + name: tensor for name, tensor in module._stem_state().items()}
    stem = [name for name in state if name.startswith(STEM_PREFIX) and name.endswith("conv_pw.weight")]
    assert stem
    assert any(not torch.equal(state[name].float(), known[name].half().float()) for name in stem)
    load_backbone(BackboneConfig(name=HYBRID, weights=str(tmp_path / RESULT)))


LATE = replace(TINY, distill_epochs=2, contrast_epochs=2, frozen_stride=8)  # fine-tunes the stem's last stages


@pytest.fixture(scope="module")
def late(tmp_path_factory, own_cache):
    """An uninterrupted pretraining of the stem's last stages."""
    folder = tmp_path_factory.mktemp("late")
    list(pretrain(LATE, folder))
    return folder


def test_only_trained_tensors_of_the_stem_are_stored(late):
    state = load_tensors(late / RESULT)
    stem = [name.removeprefix(STEM_PREFIX) for name in state if name.startswith(STEM_PREFIX)]
    assert any(name.endswith("conv_pw.weight") for name in stem)
    assert all(name.startswith(("blocks.3.", "blocks.4.")) and "conv_dw" not in name for name in stem)
    assert not any("running" in name for name in stem)
    load_backbone(BackboneConfig(name=HYBRID, weights=str(late / RESULT)))


def test_stem_is_trained_by_distillation_only(late):
    distilled, contrasted = (load_tensors(late / f"{stage}.safetensors") for stage in ("distilled", "contrasted"))
    assert distilled.keys() == contrasted.keys()
    same = {name for name, tensor in contrasted.items() if torch.equal(distilled[name], tensor)}
    assert same == {name for name in contrasted if name.startswith(STEM_PREFIX)}


@pytest.mark.parametrize("stop", [7, 14])  # of 12 steps that make the first stage, and of 4 more
def test_resuming_with_a_trained_stem_gives_the_same_weights(stop, late, tmp_path):
    stop_after(stop, LATE, tmp_path)
    list(pretrain(LATE, tmp_path))
    expected, result = load_tensors(late / RESULT), load_tensors(tmp_path / RESULT)
    assert result.keys() == expected.keys()
    assert all(torch.equal(result[name], tensor) for name, tensor in expected.items())


def test_weights_with_a_trained_stem_are_rejected_over_the_frozen_one(late, tmp_path):
    start = str(late / RESULT)
    with pytest.raises(InputError, match="--frozen-stride 8"):
        list(pretrain(replace(TINY, distill_epochs=0, start=start), tmp_path / "a"))
    list(pretrain(replace(LATE, distill_epochs=0, contrast_epochs=1, start=start), tmp_path / "b"))


def test_recipe_of_an_older_version_is_accepted(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "older")
    recipe = json.loads((folder / "pretrain.json").read_text())
    del recipe["frozen_stride"]
    (folder / "pretrain.json").write_text(json.dumps(recipe))
    assert list(pretrain(TINY, folder)) == []


def test_corpora_contain_no_query():
    for corpus, dataset in zip(chosen_corpora(), ("cifar10", "caltech101"), strict=True):
        split = draw(corpus.images, DataConfig(dataset=dataset))
        assert not np.isin(corpus.rows, split.query).any()
        assert np.isin(corpus.rows, split.database).all()
    assert [len(corpus.rows) for corpus in chosen_corpora(TINY.limit)] == [32, 32]


@pytest.mark.parametrize(
    ("spec", "parsed"),
    [
        ("vit_base", ("vit_base", None, None)),
        ("vit_base@224", ("vit_base", 224, None)),
        ("vit_base=/a/b=c.pth", ("vit_base", None, "/a/b=c.pth")),
        ("vit_base@224=/a.pth", ("vit_base", 224, "/a.pth")),
    ],
)
def test_teachers_are_spelled_with_size_and_file(spec, parsed):
    assert parsed_teacher(spec) == parsed


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"teachers": ()}, "needs a teacher"),
        ({"teachers": ("@96",)}, "teacher '@96' must be NAME"),
        ({"views": 1}, "views is 1; choose 2 or more"),
        ({"frozen_stride": 32}, "frozen_stride is 32; choose 16 or 8"),
        ({"batch": 1}, "batch is 1; choose 2 or more"),
        ({"contrast_epochs": -1}, "contrast_epochs is -1"),
    ],
)
def test_invalid_recipes_are_rejected(wrong, message):
    with pytest.raises(InputError, match=message):
        replace(TINY, **wrong)


def test_unknown_teacher_is_rejected(tmp_path):
    with pytest.raises(InputError, match="'missing'"):
        list(pretrain(replace(TINY, teachers=("missing@64",)), tmp_path))
