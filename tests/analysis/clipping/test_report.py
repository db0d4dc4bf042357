"""Reports of the Clipping lab against loops over pairs."""

import math
import shutil
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clipping_reference import clipped_of, loss_of, negatives_of
from transclipped.analysis.clipping.batches import batch_of
from transclipped.analysis.clipping.report import (
    anchor_steps,
    batch,
    curve,
    neighbours,
    report,
    separation,
    spread,
    suggestions,
)
from transclipped.analysis.clipping.thresholds import mixture, otsu
from transclipped.clipping import negatives
from transclipped.config import ClippingConfig
from transclipped.features import cache as features
from transclipped.runs.run import RunDir

settings.register_profile("unhurried", deadline=None)  # wall time says nothing on a busy machine
settings.load_profile("unhurried")
RULES = ("none", "rank", "threshold", "rank+threshold", "adaptive", "debiased")
B = 12


def settings_of(rule, treatment="remove"):
    return ClippingConfig(rule=rule, treatment=treatment, fraction=0.2, threshold=0.3, sigma=1.0)


def embeddings(images=B, *, seed=0, width=4):
    return torch.randn(2 * images, width, generator=torch.Generator().manual_seed(seed))


def single_labels(images=B):
    return np.arange(images) % 3


def multi_labels(images=B):
    """Some images with two labels, some with none."""
    return np.random.default_rng(0).integers(0, 2, (images, 3)).astype(np.uint8) * (np.arange(images) % 4 > 0)[:, None]


def same(labels, i, j):
    a, b = labels[i % len(labels)], labels[j % len(labels)]
    return bool(a == b) if labels.ndim == 1 else bool((a & b).any())


@pytest.mark.parametrize("labels", [single_labels(), multi_labels()], ids=["single", "multi"])
@pytest.mark.parametrize("rule", RULES)
def test_report_agrees_with_the_loop(rule, labels):
    lab = batch(embeddings(), labels=labels)
    ours = report(lab, settings_of(rule), temperature=0.3)
    s = lab.similarity.astype(np.float64).tolist()
    pairs = [(i, j) for i in range(2 * B) for j in negatives_of(i, 2 * B)]
    clipped = {(i, j) for i in range(2 * B) for j in clipped_of(i, s, settings_of(rule))[0]}
    false = {(i, j) for i, j in pairs if same(labels, i, j)}
    assert set(zip(*np.nonzero(ours.mask), strict=True)) == clipped
    assert set(zip(*np.nonzero(lab.false), strict=True)) == false
    assert ours.share == pytest.approx(len(clipped) / len(pairs))
    assert ours.precision == (pytest.approx(len(clipped & false) / len(clipped)) if clipped else None)
    assert ours.recall == pytest.approx(len(clipped & false) / len(false))


@pytest.mark.parametrize("labels", [single_labels(), multi_labels()], ids=["single", "multi"])
def test_confusion_counts_clipped_pairs_by_class(labels):
    ours = report(batch(embeddings(), labels=labels), settings_of("rank"), temperature=0.3)
    counts = np.zeros((3, 3), dtype=int)
    classes = [{label} if labels.ndim == 1 else set(np.flatnonzero(label)) for label in labels]
    for i, j in zip(*np.nonzero(ours.mask), strict=True):
        for a, b in product(classes[i % B], classes[j % B]):
            counts[a, b] += 1
    assert ours.confusion.tolist() == counts.tolist()


@pytest.mark.parametrize("rule", RULES)
def test_worst_mistakes_are_the_most_similar_and_show_two_images_once(rule):
    lab = batch(embeddings(), labels=single_labels())
    ours = report(lab, settings_of(rule), temperature=0.3, worst=5)
    for pairs, mask in ((ours.wrong, ours.mask & ~lab.false), (ours.missed, lab.false & ~ours.mask)):
        best = {}
        for i, j in zip(*np.nonzero(mask), strict=True):
            key = frozenset((i % B, j % B))
            best[key] = max(best.get(key, -2), lab.similarity[i, j])
        assert pairs.similarity.tolist() == sorted(best.values(), reverse=True)[:5]
        assert mask[pairs.anchor, pairs.other].all()
        assert (lab.similarity[pairs.anchor, pairs.other] == pairs.similarity).all()
        assert len({frozenset(p) for p in zip(pairs.anchor % B, pairs.other % B, strict=True)}) == len(pairs.anchor)


def test_without_labels_only_counts_remain():
    lab = batch(embeddings())
    ours = report(lab, settings_of("rank"), temperature=0.3)
    assert ours.mask.any()
    assert ours.share > 0
    assert (ours.precision, ours.recall, ours.repulsion, ours.wrong, ours.missed, ours.confusion) == (None,) * 6
    assert spread(lab).same is None
    assert curve(spread(lab)).precision is None
    assert [s.precision for s in suggestions(spread(lab))] == [None, None]
    assert anchor_steps(lab, 0, settings_of("rank"), temperature=0.3).false is None


def test_spread_holds_each_pair_of_views_once():
    lab = batch(embeddings(), labels=single_labels())
    ours = spread(lab)
    values = [
        (lab.similarity[i, j], same(single_labels(), i, j)) for i in range(2 * B) for j in range(i) if (i - j) % B
    ]
    np.testing.assert_allclose(ours.every, sorted(v for v, _ in values), atol=1e-6)
    np.testing.assert_allclose(ours.same, sorted(v for v, s in values if s), atol=1e-6)
    np.testing.assert_allclose(ours.other, sorted(v for v, s in values if not s), atol=1e-6)


@given(st.floats(-1, 1), st.integers(0, 1000))
def test_curve_is_what_the_rule_does_at_each_threshold(threshold, seed):
    lab = batch(embeddings(seed=seed), labels=single_labels())
    effect = curve(spread(lab), np.array([threshold]))
    expected = report(lab, ClippingConfig(rule="threshold", threshold=threshold), temperature=0.3)
    assert effect.share[0] == pytest.approx(expected.share)
    assert effect.recall[0] == pytest.approx(expected.recall)
    precision = math.nan if expected.precision is None else expected.precision
    assert effect.precision[0] == pytest.approx(precision, nan_ok=True)


def humps(images=64, *, gap, seed=0):
    """Images of four classes around orthogonal centres."""
    noise = torch.randn(2 * images, 16, generator=torch.Generator().manual_seed(seed)) * 0.1
    labels = np.arange(images) % 4
    centres = torch.eye(16)[torch.from_numpy(np.tile(labels, 2))] * gap
    return batch(noise + centres, labels=labels)


def test_suggested_thresholds_part_two_clear_humps():
    result = suggestions(spread(humps(gap=1.0)))
    assert [s.name for s in result] == ["Otsu", "Gaussian mixture"]
    for s in result:
        assert s.precision > 0.99
        assert s.recall > 0.99
        assert 0.3 < s.threshold < 0.8


def test_mixture_finds_a_rare_hump_at_its_density():
    """1 pair in 20 around 0.6, the rest around 0: the two densities cross at a known value."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 0.1, 95_000), rng.normal(0.6, 0.1, 5_000)])
    crossing = 0.3 + 0.1**2 * math.log(19) / 0.6
    assert mixture(values) == pytest.approx(crossing, abs=0.02)


@pytest.mark.parametrize("values", [np.array([]), np.zeros(1), np.full(9, 0.4), np.array([0.1, 0.9])], ids=len)
def test_suggestions_survive_degenerate_batches(values):
    for find in (otsu, mixture):
        threshold = find(values)
        assert -1 <= threshold <= 1
        if len(values) and values.min() == values.max():
            assert not (values > threshold).any()
    assert len(values) != 2 or 0.1 < otsu(values) < 0.9


@pytest.mark.parametrize("treatment", ["remove", "clamp"])
@pytest.mark.parametrize("rule", RULES)
def test_anchor_steps_agree_with_the_loop(rule, treatment):
    config, tau, anchor = settings_of(rule, treatment), 0.3, 5
    lab = batch(embeddings(), labels=single_labels())
    steps = anchor_steps(lab, anchor, config, temperature=tau)
    s = lab.similarity.astype(np.float64).tolist()
    order = sorted(negatives_of(anchor, 2 * B), key=lambda j: (-s[anchor][j], j))
    clipped, level = clipped_of(anchor, s, config)
    assert steps.other.tolist() == order
    assert steps.similarity.tolist() == [s[anchor][j] for j in order]
    assert steps.clipped.tolist() == [j in clipped for j in order]
    assert steps.false.tolist() == [same(single_labels(), anchor, j) for j in order]
    assert not clipped or steps.level == pytest.approx(level, abs=1e-6)
    assert (steps.positive, steps.positive_similarity) == (anchor + B, s[anchor][anchor + B])
    for forces, rules in ((steps.before, settings_of("none")), (steps.after, config)):
        assert forces.loss == pytest.approx(loss_of(anchor, s, s, rules, tau), abs=1e-5)
        for j, gradient in zip(order, forces.gradient, strict=True):
            assert gradient == pytest.approx(slope(anchor, j, s, rules, tau), abs=1e-4)
        assert forces.positive_gradient == pytest.approx(slope(anchor, anchor + B, s, rules, tau), abs=1e-4)


def slope(i, j, s, config, tau, step=1e-5):
    moved = []
    for sign in (1, -1):
        row = [list(r) for r in s]
        row[i][j] += sign * step
        moved.append(loss_of(i, row, s, config, tau))
    return (moved[0] - moved[1]) / (2 * step)


@pytest.mark.parametrize("treatment", ["remove", "clamp"])
def test_weights_are_a_softmax(treatment):
    steps = anchor_steps(batch(embeddings()), 0, settings_of("rank", treatment), temperature=0.3)
    for forces in (steps.before, steps.after):
        assert forces.weight.sum() + forces.positive_weight == pytest.approx(1, abs=1e-6)
    assert (steps.after.gradient[steps.clipped] == 0).all()
    assert (steps.after.weight[steps.clipped] > 0).all() == (treatment == "clamp")


def test_neighbours_are_negatives_in_order_and_absent_classes_count():
    lab = batch(embeddings())
    ours = neighbours(lab, 3, 5)
    assert ours.tolist() == anchor_steps(lab, 3, settings_of("none"), temperature=0.3).other[:5].tolist()
    assert len(neighbours(lab, 3, 1000)) == 2 * B - 2
    lab = batch(embeddings(), labels=single_labels(), classes=10)
    assert report(lab, settings_of("rank"), temperature=0.3).confusion.shape == (10, 10)


@pytest.mark.parametrize("rule", RULES)
def test_a_single_image_can_be_reported(rule):
    lab = batch(embeddings(1), labels=np.zeros(1, dtype=int))
    ours = report(lab, settings_of(rule), temperature=0.3)
    assert (ours.share, ours.precision, ours.recall) == (0, None, None)
    assert len(spread(lab).every) == 0
    assert len(suggestions(spread(lab))) == 2
    assert len(anchor_steps(lab, 0, settings_of(rule), temperature=0.3).other) == 0


def test_batches_take_half_precision_and_refuse_wrong_shapes():
    with pytest.raises(ValueError, match="12 images"):
        batch(embeddings(), labels=single_labels(2 * B))
    with pytest.raises(ValueError, match="two views"):
        batch(embeddings()[:-1], labels=single_labels(11))
    with pytest.raises(ValueError, match="anchor is 24"):
        anchor_steps(batch(embeddings()), 24, settings_of("rank"), temperature=0.3)
    z = embeddings().half()
    np.testing.assert_array_equal(batch(z.numpy()).similarity, batch(z).similarity)


def test_batch_of_a_run_shows_its_training_images(tiny_run):
    lab = batch_of(RunDir(tiny_run), size=20, seed=0)
    assert len(set(lab.rows)) == 20
    assert lab.rows.max() < 50_000  # CIFAR-10's training set
    assert lab.classes.shape == (20, 10)
    assert (lab.classes.sum(1) == 1).all()
    assert np.diag(lab.similarity[:20, 20:]).mean() > lab.similarity[negatives(40).numpy()].mean()


def test_a_frozen_backbone_encodes_images_once_for_all_epochs_and_runs(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    encoded = []
    encode = features.encode

    def recorded(backbone, images, rows, **how):
        encoded.extend(rows)
        return encode(backbone, images, rows, **how)

    monkeypatch.setattr(features, "encode", recorded)
    first = batch_of(RunDir(tiny_run), size=20, seed=3)
    assert sorted(encoded) == sorted([*first.rows, *first.rows])
    shutil.copytree(tiny_run, tmp_path / "other")
    for run, epoch in ((tiny_run, 1), (tmp_path / "other", None)):
        again = batch_of(RunDir(run), size=20, seed=3, epoch=epoch)
        assert again.rows.tolist() == first.rows.tolist()
    assert np.array_equal(again.similarity, first.similarity)
    assert len(encoded) == 40


@pytest.mark.parametrize("seed", range(3))
def test_separation_counts_the_pairs_in_which_the_false_negative_is_more_similar(seed):
    generator = np.random.default_rng(seed)
    z = np.round(generator.normal(size=(2 * B, 2)))  # coarse, so that many cosines tie
    z[(z == 0).all(1)] = 1.0
    one = spread(batch(z, labels=np.arange(B) % 3))
    wins = [(f > t) + (f == t) / 2 for f, t in product(one.same, one.other)]
    assert separation(one) == pytest.approx(sum(wins) / len(wins))


def test_separation_needs_negatives_of_both_kinds():
    z = np.eye(2 * B)
    assert separation(spread(batch(z))) is None
    assert separation(spread(batch(z, labels=np.zeros(B, int)))) is None
    assert separation(spread(batch(z, labels=np.arange(B)))) is None
