"""Losses against loops in float64, their gradients, and edge cases."""

import doctest
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clipping_reference import RULES, clipped_of, loss_of, negatives_of
from transclipped import clipping, losses
from transclipped.clipping import Clipped, clip, negatives, positives
from transclipped.config import ClippingConfig, LossConfig
from transclipped.errors import InputError
from transclipped.losses import ClippedNTXentLoss, clipped_nt_xent, contrastive_loss, cosines, training_loss

settings.register_profile("unhurried", deadline=None)  # wall time says nothing on a busy machine
settings.load_profile("unhurried")
SEEDS = st.integers(0, 2**32 - 1)
TREATMENTS = ("remove", "clamp")
SETTINGS = [  # of each rule, which clip some pairs of random data and not all
    ClippingConfig(rule=rule, treatment=treatment, fraction=0.4, threshold=0.2, sigma=0.7, start=2, full=4)
    for rule in RULES
    for treatment in TREATMENTS
]


def name_of(config):
    return f"{config.rule}-{config.treatment}"


def embeddings(rows, width=4, *, seed=0, dtype=torch.float64):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def losses_of(z, config, *, seen=None, temperature=0.3, epoch=math.inf):
    """Losses `[2B]` of embeddings; the embeddings `seen` decide what is clipped."""
    clipped = clip(cosines(z if seen is None else seen), config, epoch=epoch)
    return contrastive_loss(cosines(z), clipped, temperature=temperature)


@pytest.mark.parametrize("epoch", [1.0, 3.0, 3.7, math.inf])
@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
@given(images=st.integers(1, 6), seed=SEEDS, temperature=st.sampled_from([0.05, 0.3, 2.0]))
def test_losses_agree_with_the_loop(config, epoch, images, seed, temperature):
    z, seen = embeddings(2 * images, seed=seed), embeddings(2 * images, seed=seed + 1)
    ours = losses_of(z, config, seen=seen, temperature=temperature, epoch=epoch)
    s, d = cosines(z).tolist(), cosines(seen).tolist()
    expected = [loss_of(i, s, d, config, temperature, epoch) for i in range(2 * images)]
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("epoch", [1.0, 3.0, math.inf])
@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
def test_gradients_agree_with_finite_differences(config, epoch):
    z, seen = embeddings(10, seed=3).requires_grad_(), embeddings(10, seed=4)
    assert torch.autograd.gradcheck(lambda z: losses_of(z, config, seen=seen, epoch=epoch), z)


@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
def test_gradients_agree_with_finite_differences_of_the_loop(config):
    """Detection uses the same embeddings: it must add no gradient, and a clamped pair must stay constant."""
    s = cosines(embeddings(8, seed=5)).requires_grad_()
    clipped = clip(s, config)
    contrastive_loss(s, clipped, temperature=0.3).sum().backward()
    base, step = s.detach().tolist(), 1e-6
    for i in range(8):
        for j in negatives_of(i, 8):
            moved = []
            for sign in (1, -1):
                row = [list(r) for r in base]
                row[i][j] += sign * step
                moved.append(loss_of(i, row, base, config, 0.3))
            slope = (moved[0] - moved[1]) / (2 * step)
            assert s.grad[i, j].item() == pytest.approx(slope, abs=1e-6)


def test_agrees_with_nt_xent_by_cross_entropy():
    z = embeddings(12, seed=0)
    s = F.cosine_similarity(z[:, None], z[None], dim=-1) / 0.1
    others = s[~torch.eye(12, dtype=torch.bool)].view(12, 11)  # without the diagonal, later columns move up by one
    target = torch.tensor([i + 5 if i < 6 else i - 6 for i in range(12)])
    expected = F.cross_entropy(others, target, reduction="none")
    torch.testing.assert_close(losses_of(z, ClippingConfig(rule="none"), temperature=0.1), expected)


def test_orthogonal_images_have_a_known_loss():
    z = torch.eye(3, dtype=torch.float64).repeat(2, 1)  # s⁺ = 1, four negatives at 0
    expected = math.log(1 + 4 * math.exp(-1 / 0.5))
    ours = losses_of(z, ClippingConfig(rule="none"), temperature=0.5)
    torch.testing.assert_close(ours, torch.full((6,), expected, dtype=torch.float64))


@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
@given(images=st.integers(2, 6), seed=SEEDS)
def test_permuting_images_or_views_permutes_losses(config, images, seed):
    z = embeddings(2 * images, seed=seed)
    order = torch.randperm(images, generator=torch.Generator().manual_seed(seed))
    for rows in (torch.cat([order, order + images]), torch.arange(2 * images).roll(images)):
        torch.testing.assert_close(losses_of(z[rows], config), losses_of(z, config)[rows])


@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("rule, weakest", [("threshold", 1.0), ("rank", 0.0), ("debiased", 0.0)])
def test_weakest_setting_equals_none(rule, weakest, treatment):
    z = embeddings(12, seed=1, dtype=torch.float32)
    expected = losses_of(z, ClippingConfig(rule="none"))
    config = ClippingConfig(treatment=treatment, rule=rule, **{clipping.RULES[rule].amount.field: weakest})
    torch.testing.assert_close(losses_of(z, config), expected)


@given(images=st.integers(2, 6), seed=SEEDS, a=st.floats(0, 0.99), b=st.floats(0, 0.99))
def test_clipping_more_never_raises_a_loss(images, seed, a, b):
    z = embeddings(2 * images, seed=seed)
    weak, strong = sorted((a, b))
    for rule, name, sign in (("rank", "fraction", 1), ("threshold", "threshold", -1), ("adaptive", "sigma", -1)):
        configs = [ClippingConfig(rule=rule, **{name: value}) for value in (weak, strong)][::sign]
        less, more = (losses_of(z, config) for config in configs)
        assert (more <= less + 1e-12).all()
    warming = ClippingConfig(rule="rank", fraction=0.9, full=1.0)
    assert (losses_of(z, warming, epoch=strong) <= losses_of(z, warming, epoch=weak) + 1e-12).all()


@pytest.mark.parametrize("config", [c for c in SETTINGS if c.rule not in ("none", "debiased")], ids=name_of)
def test_clipped_pair_gets_no_gradient(config):
    s = cosines(embeddings(16, seed=2)).requires_grad_()
    clipped = clip(s, config)
    contrastive_loss(s, clipped, temperature=0.3).sum().backward()
    kept = negatives(16) & ~clipped.mask
    assert clipped.mask.any() and (s.grad[clipped.mask] == 0).all() and (s.grad[kept] > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_is_zero_where_every_negative_is_removed(dtype):
    z = embeddings(8, seed=0, dtype=dtype).requires_grad_()
    everything = Clipped(negatives(8), torch.ones(8, 1, dtype=dtype))
    loss = clipped_nt_xent(cosines(z), everything, temperature=0.01)
    loss.sum().backward()
    assert (loss == 0).all() and (z.grad == 0).all()


@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
def test_a_single_image_has_loss_zero(config):
    z = embeddings(2, seed=0).requires_grad_()
    loss = losses_of(z, config)
    loss.sum().backward()
    assert (loss == 0).all() and (z.grad == 0).all()


@pytest.mark.parametrize("temperature", [0.01, 1e-3])
@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
@pytest.mark.parametrize("kind", ["random", "collapsed", "opposite", "apart", "zero"])
def test_cold_losses_and_gradients_are_finite(kind, config, temperature):
    z = {
        "random": embeddings(32, seed=0, dtype=torch.float32),
        "collapsed": torch.ones(32, 4),
        "opposite": torch.ones(32, 4) * (-1) ** torch.arange(32)[:, None],
        "apart": torch.eye(16).repeat(2, 1),  # e^{s⁺/τ} is far beyond float32 against the negatives' mean
        "zero": torch.zeros(32, 4),
    }[kind].requires_grad_()
    loss = losses_of(z, config, temperature=temperature)
    loss.sum().backward()
    assert (torch.isfinite(loss) & (loss >= 0)).all() and torch.isfinite(z.grad).all()


def test_debiased_at_its_floor_has_no_gradient_for_negatives():
    s = cosines(torch.eye(3, dtype=torch.float64).repeat(2, 1)).requires_grad_()
    loss = losses.debiased_nt_xent(s, prior=0.5, temperature=0.5)  # 1 − 0.5 · e² < 0
    loss.sum().backward()
    torch.testing.assert_close(loss, torch.full((6,), math.log(1 + 4 * math.exp(-4)), dtype=torch.float64))
    assert (s.grad[negatives(6)] == 0).all()


def test_debiased_is_exact_just_above_its_kink():
    """mean_j e^{s_ij/τ} is slightly above ρ e^{s⁺/τ}, where the logarithm of the difference is steep."""
    s = torch.zeros(4, 4, dtype=torch.float64)  # mean 1, positive 1
    prior = 1 - 1e-9
    s[negatives(4)] = 1e-7
    s.requires_grad_()
    loss = losses.debiased_nt_xent(s, prior=prior, temperature=1.0)
    loss.sum().backward()
    total = 2 * (math.exp(1e-7) - prior) / (1 - prior)
    torch.testing.assert_close(loss, torch.full((4,), math.log1p(total), dtype=torch.float64), rtol=1e-6, atol=0)
    assert torch.isfinite(s.grad).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
def test_autocast_changes_nothing(config, dtype):
    z = embeddings(32, width=16, seed=0).to(dtype)
    p = embeddings(32 * 2, width=8, seed=1).softmax(-1).view(32, 2, 8).to(dtype)
    c = F.normalize(embeddings(16, width=8, seed=2), dim=-1).view(2, 8, 8).to(dtype)
    loss = LossConfig(temperature=0.01, entropy=1.0, diversity=1.0)
    plain = training_loss(z.float(), p.float(), c.float(), detect=z.float(), clipping=config, loss=loss)
    with torch.autocast("cpu", dtype=dtype):
        half = training_loss(z, p, c, detect=z, clipping=config, loss=loss)
    assert half.total.dtype == torch.float32
    torch.testing.assert_close(half.per_anchor, plain.per_anchor, rtol=0, atol=0)
    torch.testing.assert_close(half.total, plain.total, rtol=0, atol=0)


def test_entropy_of_known_assignments():
    certain = torch.eye(8).view(4, 2, 8)
    assert losses.assignment_entropy(certain) == 0
    torch.testing.assert_close(losses.assignment_entropy(torch.full((4, 2, 8), 1 / 8)).item(), math.log(8))


def test_entropy_has_finite_gradients_where_an_assignment_underflows():
    logits = torch.tensor([[[0.0, -200.0]]], requires_grad=True)
    losses.assignment_entropy(logits.softmax(-1)).backward()
    assert torch.isfinite(logits.grad).all()


def test_entropy_gradients_agree_with_finite_differences():
    p = embeddings(6, width=5, seed=0).softmax(-1).view(3, 2, 5).requires_grad_()
    assert torch.autograd.gradcheck(losses.assignment_entropy, p)


def test_codeword_similarity_agrees_with_the_loop():
    c = embeddings(3 * 5, width=4, seed=0).view(3, 5, 4).requires_grad_()
    different = [(m, k, other) for m in range(3) for k in range(5) for other in range(5) if k != other]
    pairs = [F.cosine_similarity(c[m, k], c[m, other], dim=0) for m, k, other in different]
    torch.testing.assert_close(losses.codeword_similarity(c), torch.stack(pairs).mean())
    assert torch.autograd.gradcheck(losses.codeword_similarity, c)


def codes_of(x, codebooks):
    """Soft codes `[2B, M·d]`, assignments `[2B, M, K]` and codewords `[M, K, d]`."""
    codewords = F.normalize(codebooks, dim=-1)
    assignment = (10 * torch.einsum("bmd,mkd->bmk", F.normalize(x, dim=-1), codewords)).softmax(-1)
    return torch.einsum("bmk,mkd->bmd", assignment, codewords).flatten(1), assignment, codewords


@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
@pytest.mark.parametrize(
    "term, moves_embeddings", [("contrastive", True), ("entropy", True), ("diversity", False), ("total", True)]
)
def test_each_term_moves_what_it_should(term, moves_embeddings, config):
    x = embeddings(24, width=4, seed=0).view(12, 2, 4).requires_grad_()
    codebooks = embeddings(16, width=4, seed=1).view(2, 8, 4).requires_grad_()
    quantized, assignment, codewords = codes_of(x, codebooks)
    loss = LossConfig(entropy=0.1)
    parts = training_loss(quantized, assignment, codewords, detect=quantized, clipping=config, loss=loss)
    to_x, to_codebooks = torch.autograd.grad(getattr(parts, term), (x, codebooks), allow_unused=True)
    assert (to_codebooks.abs().amax(-1) > 0).all()  # every codeword
    assert (to_x is not None and bool((to_x.abs().amax(-1) > 0).all())) == moves_embeddings


def test_total_weighs_its_parts():
    z, assignment, codewords = codes_of(embeddings(16, seed=0).view(8, 2, 4), embeddings(16, seed=1).view(2, 8, 4))
    loss = LossConfig(entropy=0.7, diversity=0.2)
    parts = training_loss(z, assignment, codewords, detect=z, clipping=ClippingConfig(), loss=loss)
    torch.testing.assert_close(parts.total, parts.contrastive + 0.7 * parts.entropy + 0.2 * parts.diversity)
    torch.testing.assert_close(parts.contrastive, parts.per_anchor.mean())


@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
def test_explicit_detection_on_codes_and_logging_change_no_loss(config):
    given = codes_of(embeddings(32, seed=0).view(16, 2, 4), embeddings(16, seed=1).view(2, 8, 4))
    whole = training_loss(*given, detect=given[0].clone(), clipping=config, loss=LossConfig(entropy=0.0))
    short = training_loss(*given, clipping=config, loss=LossConfig(entropy=0.0), log_codes=False)
    assert torch.equal(whole.total, short.total) and torch.equal(whole.clipped.mask, short.clipped.mask)
    assert whole.entropy > 0 and short.entropy == 0
    weighed = training_loss(*given, clipping=config, loss=LossConfig(entropy=0.5), log_codes=False)
    assert torch.equal(weighed.entropy, whole.entropy)


def test_clipping_uses_the_detector_and_leaves_no_gradient_there():
    z, assignment, codewords = codes_of(embeddings(32, seed=0).view(16, 2, 4), embeddings(16, seed=1).view(2, 8, 4))
    detect = embeddings(16, width=9, seed=2).requires_grad_()
    z.requires_grad_()
    config = ClippingConfig(rule="rank", fraction=0.3, treatment="clamp")
    parts = training_loss(z, assignment, codewords, detect=detect, clipping=config, loss=LossConfig())
    parts.total.backward()
    expected = clip(cosines(detect), config)
    assert torch.equal(parts.clipped.mask, expected.mask)
    assert torch.equal(parts.clipped.level, expected.level) and detect.grad is None
    assert z.grad.abs().sum() > 0


def test_wrong_shapes_and_settings_are_rejected():
    s, clipped = torch.zeros(4, 4), Clipped(torch.zeros(4, 4, dtype=torch.bool), torch.ones(4, 1))
    with pytest.raises(ValueError, match="2B, 2B"):
        clipped_nt_xent(torch.zeros(4, 6), clipped, temperature=1)
    with pytest.raises(ValueError, match="2B, 2B"):
        losses.debiased_nt_xent(torch.zeros(4, 6), prior=0.1, temperature=1)
    with pytest.raises(ValueError, match="two views"):
        losses.debiased_nt_xent(torch.zeros(3, 3), prior=0.1, temperature=1)
    with pytest.raises(ValueError, match="drop"):
        clipped_nt_xent(s, replace(clipped, treatment="drop"), temperature=1)
    with pytest.raises(ValueError, match="prior"):
        losses.debiased_nt_xent(s, prior=1.0, temperature=1)
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="temperature"):
            clipped_nt_xent(s, clipped, temperature=temperature)
    with pytest.raises(ValueError, match=r"\[n, D\]"):
        cosines(torch.zeros(4))


@pytest.mark.parametrize("wrong", ["z", "assignment", "codewords", "detect"])
def test_training_loss_names_the_shapes_it_got(wrong):
    given = {"z": torch.ones(4, 6), "assignment": torch.ones(4, 2, 8) / 8, "codewords": torch.ones(2, 8, 3)}
    given |= {"detect": torch.ones(4, 6)}
    given[wrong] = given[wrong][:, 0] if wrong in ("assignment", "codewords") else torch.ones(6, 6)
    detect = given.pop("detect")
    with pytest.raises(ValueError, match=r"need .*2B"):
        training_loss(**given, detect=detect, clipping=ClippingConfig(), loss=LossConfig())


def test_arguments_are_not_modified():
    z = embeddings(8, seed=0)
    s, config = cosines(z), ClippingConfig(rule="rank", fraction=0.5)
    clipped = clip(s, config)
    before = s.clone(), clipped.mask.clone()
    for treatment in TREATMENTS:
        contrastive_loss(s, replace(clipped, treatment=treatment), temperature=0.3)
    assert torch.equal(s, before[0]) and torch.equal(clipped.mask, before[1])
    assert torch.equal(z, embeddings(8, seed=0))


def test_losses_have_the_positive_in_both_directions():
    s = cosines(embeddings(8, seed=0)).requires_grad_()
    losses_ = contrastive_loss(s, clip(s, ClippingConfig(rule="none")), temperature=0.3)
    losses_.sum().backward()
    assert (s.grad[torch.arange(8), positives(8)] < 0).all()


def criterion_of(config, **changes):
    settings = {name: getattr(config, name) for name in ("rule", "threshold", "fraction", "sigma", "treatment")}
    return ClippedNTXentLoss(**settings | {"prior": config.class_prior, "temperature": 0.3} | changes)


@pytest.mark.parametrize("config", SETTINGS, ids=name_of)
@given(images=st.integers(2, 6), seed=SEEDS, length=st.sampled_from([1e-3, 1.0, 1e3]))
def test_criterion_agrees_with_the_loop(config, images, seed, length):
    z0, z1 = (embeddings(images, seed=seed + view) for view in (0, 1))
    criterion = criterion_of(config)
    ours = criterion(length * z0, z1)
    unit = [[x / math.dist(row, [0] * 4) for x in row] for row in [*z0.tolist(), *z1.tolist()]]
    s = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in unit] for a in unit]
    expected = sum(loss_of(i, s, s, config, 0.3) for i in range(2 * images)) / (2 * images)
    assert ours.shape == () and ours.dtype == torch.float64
    assert ours.item() == pytest.approx(expected, abs=1e-10)
    for i in range(2 * images):
        assert set(criterion.clipped[i].nonzero().flatten().tolist()) == clipped_of(i, s, config)[0]


@given(images=st.integers(2, 6), seed=SEEDS, temperature=st.sampled_from([0.05, 0.5, 2.0]))
def test_criterion_without_clipping_is_nt_xent(images, seed, temperature):
    """Line 8 of algorithm 1 of SimCLR, in loops: rows 2k and 2k + 1 are two views there."""
    z0, z1 = (F.normalize(embeddings(images, seed=seed + view), dim=1).tolist() for view in (0, 1))
    z = [view for pair in zip(z0, z1, strict=True) for view in pair]
    s = [[math.exp(sum(x * y for x, y in zip(a, b, strict=True)) / temperature) for b in z] for a in z]
    one = [-math.log(s[i][i ^ 1] / sum(s[i][k] for k in range(len(z)) if k != i)) for i in range(len(z))]
    views = torch.tensor([z0, z1], dtype=torch.float64)
    ours = ClippedNTXentLoss(rule="none", temperature=temperature)(*views)
    assert ours.item() == pytest.approx(sum(one) / len(one), abs=1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_criterion_takes_any_rule_and_moves_both_views(rule):
    z0, z1 = (embeddings(16, seed=seed, dtype=torch.float32).requires_grad_() for seed in (0, 1))
    criterion = ClippedNTXentLoss(rule=rule)
    assert criterion.clipped is None and not list(criterion.parameters()) and not criterion.state_dict()
    criterion(z0, z1).backward()
    assert criterion.clipped.shape == (32, 32) and criterion.clipped.dtype == torch.bool
    for z in (z0, z1):
        assert torch.isfinite(z.grad).all() and (z.grad.abs().amax(1) > 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_criterion_computes_half_precision_in_float32(dtype):
    z0, z1 = (embeddings(16, width=16, seed=seed).to(dtype) for seed in (0, 1))
    criterion = ClippedNTXentLoss(rule="adaptive", temperature=0.01)
    plain = criterion(z0.float(), z1.float())
    with torch.autocast("cpu", dtype=dtype):
        half = criterion(z0, z1)
    assert half.dtype == torch.float32 and torch.equal(half, plain)


def with_one(value):
    return torch.ones(4, 3).index_fill(0, torch.tensor(2), value)


@pytest.mark.parametrize(
    ("z0", "z1", "named"),
    [
        (torch.ones(4), torch.ones(4), r"\[4\]"),
        (torch.ones(4, 3), torch.ones(4, 2), r"\[4, 3\] and \[4, 2\]"),
        (torch.ones(4, 3), torch.ones(5, 3), r"\[4, 3\] and \[5, 3\]"),
        (torch.ones(2, 4, 3), torch.ones(2, 4, 3), r"\[2, 4, 3\]"),
        (torch.ones(1, 3), torch.ones(1, 3), "at least 2"),
        (torch.ones(0, 3), torch.ones(0, 3), "at least 2"),
        (torch.ones(4, 3), with_one(math.nan), "z1"),
        (with_one(math.inf), torch.ones(4, 3), "z0"),
        (torch.ones(4, 3, dtype=torch.float16) * 65504 * 2, torch.ones(4, 3), "z0"),
        (torch.ones(4, 3).long(), torch.ones(4, 3), "int64"),
        (torch.ones(4, 3), torch.ones(4, 3, device="meta"), "device"),
    ],
)
def test_criterion_rejects_invalid_views(z0, z1, named):
    with pytest.raises(InputError, match=named):
        ClippedNTXentLoss()(z0, z1)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"rule": "adaptve"}, "adaptive"),
        ({"threshold": math.nan}, "threshold"),
        ({"fraction": 1.0}, "fraction"),
        ({"sigma": -1.0}, "sigma"),
        ({"prior": 1.0}, "prior"),
        ({"treatment": "drop"}, "drop"),
        ({"temperature": 0.0}, "temperature"),
    ],
)
def test_criterion_rejects_invalid_settings(setting, named):
    with pytest.raises(InputError, match=named):
        ClippedNTXentLoss(**setting)


def test_criterion_takes_a_registered_rule(own_registries):
    clipping.register("half")(lambda s, candidates, config: (s > 0, None))
    criterion = ClippedNTXentLoss(rule="half")
    z0, z1 = embeddings(4, seed=0), embeddings(4, seed=1)
    criterion(z0, z1)
    assert torch.equal(criterion.clipped, (cosines(torch.cat([z0, z1])) > 0) & negatives(8))


def test_examples_hold():
    failed, tried = doctest.testmod(losses)
    assert tried and not failed
