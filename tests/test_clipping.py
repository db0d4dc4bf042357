"""Clipping rules against loops, and their properties."""

import doctest
import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.clipping_reference import RULES, clipped_of
from transclipped import clipping
from transclipped.clipping import amount_of, clip, most_similar, negatives, positives, with_amount
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.losses import cosines

settings.register_profile("unhurried", deadline=None)  # wall time says nothing on a busy machine
settings.load_profile("unhurried")
SEEDS = st.integers(0, 2**32 - 1)


def similarities(images, *, seed, tied=False, width=3):
    """Cosines `[2B, 2B]` in float64; if tied, of small integers, so that many are equal."""
    generator = torch.Generator().manual_seed(seed)
    shape = (2 * images, width)
    z = torch.randint(-1, 2, shape, generator=generator) if tied else torch.randn(shape, generator=generator)
    return cosines(z.double())


@pytest.mark.parametrize("epoch", [0.0, 2.0, 2.5, 3.0, 3.9, 4.0, math.inf])
@pytest.mark.parametrize("rule", RULES)
@given(images=st.integers(1, 6), seed=SEEDS, tied=st.booleans(), share=st.integers(0, 99))
def test_rule_picks_what_the_loop_picks(rule, epoch, images, seed, tied, share):
    config = ClippingConfig(
        rule=rule, fraction=share / 100, threshold=share / 50 - 1, sigma=share / 50, start=2, full=4
    )
    s = similarities(images, seed=seed, tied=tied)
    ours = clip(s, config, epoch=epoch)
    for i in range(2 * images):
        mask, level = clipped_of(i, s.tolist(), config, epoch)
        assert set(ours.mask[i].nonzero().flatten().tolist()) == mask
        if mask:
            assert ours.level[i].item() == pytest.approx(level, abs=1e-12)


@pytest.mark.parametrize("rule", RULES)
@given(images=st.integers(1, 6), seed=SEEDS)
def test_mask_never_holds_self_or_positive(rule, images, seed):
    config = ClippingConfig(rule=rule, fraction=0.99, threshold=-1.0, sigma=0.0)
    ours = clip(similarities(images, seed=seed), config)
    assert not ours.mask.diagonal().any()
    assert not ours.mask[torch.arange(2 * images), positives(2 * images)].any()
    assert torch.isfinite(ours.level).all()


@pytest.mark.parametrize("low, high", [("threshold", {"threshold": 1.0}), ("rank", {"fraction": 0.0})])
@given(images=st.integers(1, 6), seed=SEEDS, tied=st.booleans())
def test_weakest_setting_clips_nothing(low, high, images, seed, tied):
    assert not clip(similarities(images, seed=seed, tied=tied), ClippingConfig(rule=low, **high)).mask.any()


@given(images=st.integers(1, 8), seed=SEEDS, tied=st.booleans(), sigma=st.floats(0, 6))
def test_adaptive_keeps_to_cantelli(images, seed, tied, sigma):
    n = 2 * images - 2
    counts = clip(similarities(images, seed=seed, tied=tied), ClippingConfig(rule="adaptive", sigma=sigma)).mask.sum(1)
    assert (counts <= n / (1 + sigma**2)).all()
    if n <= sigma**2 + 1:
        assert not counts.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1.0, 0.1, 0.7, 1.0])
def test_adaptive_clips_none_of_equal_similarities(value, dtype):
    equal = torch.full((64, 64), value, dtype=dtype)
    assert not clip(equal, ClippingConfig(rule="adaptive", sigma=0.0)).mask.any()


@given(images=st.integers(2, 6), seed=SEEDS, tied=st.booleans(), a=st.floats(0, 0.99), b=st.floats(0, 0.99))
def test_stronger_settings_clip_supersets(images, seed, tied, a, b):
    s = similarities(images, seed=seed, tied=tied)
    weak, strong = sorted((a, b))
    for rule, name, sign in (("rank", "fraction", 1), ("threshold", "threshold", -1), ("adaptive", "sigma", -1)):
        settings = [ClippingConfig(rule=rule, **{name: x}) for x in (weak, strong)]
        less, more = (clip(s, config).mask for config in settings[::sign])
        assert not (less & ~more).any()


def test_warm_up_clips_the_most_similar_first():
    s = similarities(8, seed=0)
    config = ClippingConfig(rule="threshold", threshold=0.0, start=1, full=2)
    full = clip(s, config).mask
    for w in (0.25, 0.5, 0.75):
        part = clip(s, config, epoch=1 + w).mask
        assert not (part & ~full).any()
        assert torch.equal(part.sum(1), (w * full.sum(1)).floor().long())
        kept = s.masked_fill(~(full & ~part), -2).amax(1)
        assert (s.masked_fill(~part, 2).amin(1) >= kept).all()


def test_rank_clamps_at_the_smallest_that_warm_up_leaves_clipped():
    s = similarities(8, seed=1)
    config = ClippingConfig(rule="rank", fraction=0.5, start=0, full=2)
    half = clip(s, config, epoch=1.0)
    assert torch.equal(half.level, s.masked_fill(~half.mask, 1).amin(1, keepdim=True))
    assert (half.level > clip(s, config).level).all()


@pytest.mark.parametrize("epoch, ramp, step", [(-1, 0, 0), (1.99, 0, 0), (2, 0, 1), (3, 0.5, 1), (math.inf, 1, 1)])
def test_strength_rises_linearly_or_steps_if_start_is_full(epoch, ramp, step):
    assert clipping.strength(ClippingConfig(start=2, full=4), epoch) == ramp
    assert clipping.strength(ClippingConfig(start=2, full=2), epoch) == step


@example(72, 375)  # 27, and just below it in float32 and float64
@given(st.integers(0, 1000), st.integers(1, 5000))
def test_share_is_free_of_rounding(thousandths, count):
    assert clipping.share_of(torch.tensor([count]), thousandths / 1000).item() == thousandths * count // 1000


@given(st.integers(1, 60), st.integers(1, 60))
def test_share_of_a_ratio_is_free_of_rounding(part, whole):
    assert clipping.share_of(torch.tensor([whole * 7]), min(part, whole) / whole).item() == min(part, whole) * 7
    assert math.floor(Fraction(part, whole) * whole) == part


@given(images=st.integers(1, 8), seed=SEEDS, tied=st.booleans())
def test_most_similar_agrees_with_a_stable_sort(images, seed, tied):
    s = similarities(images, seed=seed, tied=tied)
    candidates = negatives(2 * images)
    count = torch.randint(0, 2 * images - 1, (2 * images,), generator=torch.Generator().manual_seed(seed))
    order = s.masked_fill(~candidates, -math.inf).sort(dim=1, descending=True, stable=True).indices
    for i, row in enumerate(most_similar(s, candidates, count)):
        assert set(row.nonzero().flatten().tolist()) == set(order[i, : count[i]].tolist())


@given(images=st.integers(1, 8))
def test_each_anchor_has_one_positive_and_the_rest_negatives(images):
    n = 2 * images
    assert positives(n).tolist() == [(i + images) % n for i in range(n)]
    assert negatives(n).tolist() == [[(j - i) % images != 0 for j in range(n)] for i in range(n)]


@pytest.mark.parametrize("rule", RULES)
def test_half_precision_is_clipped_as_its_float32_copy(rule):
    s = similarities(16, seed=0).to(torch.bfloat16)
    config = ClippingConfig(rule=rule, sigma=1.0)
    half, single = clip(s, config), clip(s.float(), config)
    assert torch.equal(half.mask, single.mask) and half.level.dtype == torch.float32


def test_selection_carries_no_gradient():
    s = similarities(4, seed=0).requires_grad_()
    assert not clip(s, ClippingConfig(rule="adaptive")).level.requires_grad


@pytest.mark.parametrize("level, held", [(0.3, 0.3), (torch.full((8, 1), 0.2), 0.2), (None, None)])
def test_custom_rule(own_registries, level, held):
    clipping.register("mine")(lambda s, candidates, config: (s > 0.0, level))  # also marks self and positive
    s = similarities(4, seed=0)
    ours = clip(s, ClippingConfig(rule="mine"))
    assert torch.equal(ours.mask, (s > 0) & negatives(8)) and ours.level.shape == (8, 1)
    smallest = s.masked_fill(~ours.mask, 1.0).amin(1, keepdim=True)
    torch.testing.assert_close(ours.level, smallest if held is None else torch.full_like(smallest, held))


def test_rule_with_an_invalid_mask_is_named(own_registries):
    clipping.register("mine")(lambda similarity, candidates, config: (similarity, 0.5))
    with pytest.raises(ValueError, match="'mine'"):
        clip(similarities(4, seed=0), ClippingConfig(rule="mine"))


def test_unknown_rule_lists_the_registered_ones():
    with pytest.raises(InputError, match=r"'best'.*none.*threshold.*rank.*adaptive"):
        clipping.RULES["best"]
    with pytest.raises(InputError, match="'best'"):
        clip(similarities(2, seed=0), replace(ClippingConfig(), rule="best"))


@pytest.mark.parametrize("shape", [(4,), (4, 6), (2, 4, 4), (3, 3), (0, 0)])
def test_wrong_shapes_are_rejected(shape):
    with pytest.raises(ValueError, match="2B"):
        clip(torch.zeros(shape), ClippingConfig())


def test_rules_are_those_of_the_reference_with_description_and_source():
    assert set(clipping.RULES) == set(RULES)
    for rule in clipping.RULES.values():
        assert rule.does and rule.source


@pytest.mark.parametrize("rule", RULES)
def test_rule_reads_exactly_the_settings_that_it_declares(rule):
    s, base = similarities(16, seed=0), ClippingConfig(rule=rule, fraction=0.3, threshold=0.6, sigma=0.7)
    declared = {amount.field for amount in clipping.RULES[rule].settings}
    for amount in clipping.AMOUNTS:
        other = clip(s, replace(base, **{amount.field: 0.05}))
        same = torch.equal(other.mask, clip(s, base).mask) and other.prior == clip(s, base).prior
        assert same == (amount.field not in declared), amount.field


@pytest.mark.parametrize("rule", clipping.turned())
@given(images=st.integers(2, 6), seed=SEEDS, a=st.floats(0, 1), b=st.floats(0, 1))
def test_amount_declares_the_direction_that_clips_more(rule, images, seed, a, b):
    amount, s = clipping.turned()[rule], similarities(images, seed=seed)
    base = ClippingConfig(rule=rule, fraction=0.5)
    low, high = (share * (amount.range[1] - amount.range[0]) + amount.range[0] for share in sorted((a, b)))
    less, more = (clip(s, replace(base, **{amount.field: value})).mask for value in (low, high))
    assert not ((less & ~more) if amount.rising else (more & ~less)).any()


def test_amounts_are_within_their_ranges():
    for name, rule in clipping.RULES.items():
        for amount in rule.settings:
            (least, most), (low, high) = amount.range, amount.dial
            assert least <= low <= amount.start <= high <= most, name
            assert all(low <= value <= high for value in amount.tried), name
            assert list(amount.tried) == sorted(amount.tried, reverse=not amount.rising), name


def test_setting_is_described_by_rule_and_amount():
    config = with_amount("rank+threshold", 0.4, fraction=0.1)
    assert (config.threshold, config.fraction, amount_of(config)) == (0.4, 0.1, 0.4)
    assert clipping.described("rank+threshold", 0.4) == "rank+threshold δ = 0.4"
    assert amount_of(with_amount("none", None)) is amount_of(ClippingConfig(rule="gone")) is None
    assert clipping.described("gone", None) == "gone"


@pytest.mark.parametrize("epoch, w", [(2, 0), (3, 0.5), (math.inf, 1)])
def test_result_carries_treatment_and_prior(epoch, w):
    s = similarities(4, seed=0)
    debiased = ClippingConfig(rule="debiased", class_prior=0.2, start=2, full=4)
    assert clip(s, debiased, epoch=epoch).prior == 0.2 * w
    for treatment in ("remove", "clamp"):
        clipped = clip(s, ClippingConfig(rule="rank", treatment=treatment))
        assert (clipped.treatment, clipped.prior) == (treatment, None)


def test_examples_hold():
    failed, tried = doctest.testmod(clipping)
    assert tried and not failed


def test_rules_are_readable_without_torch():
    program = "import sys, transclipped.clipping, transclipped.flags; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
