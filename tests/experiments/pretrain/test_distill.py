"""Distillation: targets and loss against loops, and a student that learns and resumes."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from transclipped.experiments.pretrain import distill
from transclipped.experiments.pretrain.distill import Corpus, Distiller, distillation_loss, distillation_targets


def teachers(n=60, seed=0):
    """Two embeddings of different width of the same three-dimensional truth."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 3))
    return [truth @ rng.normal(size=(3, width)) + 0.01 * rng.normal(size=(n, width)) for width in (10, 6)]


def unit(rows, width=5, seed=0):
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(x, dim=-1)


def test_targets_keep_the_geometry_of_all_teachers_side_by_side():
    embeddings = teachers()
    parts = []
    for x in embeddings:
        x = (x - x.mean(0)) / x.std(0, ddof=1)
        parts.append(x / np.linalg.norm(x, axis=1, keepdims=True))
    whole = np.concatenate(parts, axis=1)
    whole -= whole.mean(0)
    cosine = whole @ whole.T / np.outer(*[np.linalg.norm(whole, axis=1)] * 2)
    targets = distillation_targets(embeddings, width=16).double()  # all dimensions: PCA only turns them
    np.testing.assert_allclose(targets @ targets.T, cosine, atol=1e-4)


def test_targets_are_of_unit_length_and_fewer_numbers_keep_the_most():
    embeddings = teachers()
    targets = distillation_targets(embeddings, width=4)
    assert targets.shape == (60, 4) and targets.dtype == torch.float32
    torch.testing.assert_close(targets.norm(dim=1), torch.ones(60))
    full = distillation_targets(embeddings, width=16)
    assert (targets @ targets.T - full @ full.T).abs().mean() < 0.05


def loss_by_loops(z, target, temperature):
    z = F.normalize(z, dim=-1)
    n, total = len(z), 0.0
    for i in range(n):
        total += (1 - z[i] @ target[i]) / n
        others = [j for j in range(n) if j != i]
        student = [math.exp(z[i] @ z[j] / temperature) for j in others]
        teacher = [math.exp(target[i] @ target[j] / temperature) for j in others]
        for s, t in zip(student, teacher, strict=True):
            p, q = t / sum(teacher), s / sum(student)
            total += p * math.log(p / q) / n
    return float(total)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_loss_equals_the_loops(temperature):
    z, target = 3 * unit(7), unit(7, seed=1)
    expected = loss_by_loops(z, target, temperature)
    loss = distillation_loss(z.float(), target.float(), temperature=temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_loss_is_zero_for_equal_embeddings_and_positive_otherwise():
    target = unit(7).float()
    assert distillation_loss(2 * target, target).item() == pytest.approx(0, abs=1e-6)
    for seed in range(5):
        assert distillation_loss(unit(7, seed=seed).float(), unit(7, seed=9).float()).item() > 0


def test_loss_of_half_precision_is_computed_in_full():
    z, target = unit(7).to(torch.bfloat16), unit(7, seed=1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = distillation_loss(z, target)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, distillation_loss(z.float(), target))


def distiller(*, epochs=3, seed=0):
    torch.manual_seed(0)
    rng = np.random.default_rng(5)
    embeddings = teachers(40)
    targets = distillation_targets(embeddings, width=4)
    views = [(np.concatenate(embeddings, 1) + 0.01 * rng.normal(size=(40, 16))).astype(np.float16) for _ in range(2)]
    student = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4))
    first, second = Corpus(views, np.arange(30), targets[:30]), Corpus(views, np.arange(30, 40), targets[30:], repeat=2)
    return Distiller(student, [first, second], epochs=epochs, batch=8, lr=0.02, seed=seed)


def figures(events):
    return [(event.kind, event.step, event.epoch, event.values) for event in events]


def test_student_learns():
    losses = [event.values["loss"] for event in distiller(epochs=25).events() if event.kind == "epoch"]
    assert len(losses) == 25 and losses[-1] < 0.6 * losses[0]


def test_epoch_repeats_each_corpus_as_configured():
    plan = distiller()._plan(0)
    assert {len(places) for _, places, _ in plan} == {8}
    assert sum(corpus == 0 for corpus, _, _ in plan) == 3  # 30 images
    assert sum(corpus == 1 for corpus, _, _ in plan) == 2  # 10 images, twice
    seen = np.concatenate([places for corpus, places, _ in plan if corpus == 1])
    assert np.bincount(seen).max() <= 2 and len(distiller()._plan(0)) * 3 == distiller().total_steps


@pytest.mark.parametrize("stop", [1, 3, 5, 7, 15])
def test_resuming_gives_the_same_student(stop):
    whole = distiller()
    list(whole.events())
    stopped = distiller()
    for event in stopped.events():
        if event.step == stop:
            break
    resumed = distiller()
    resumed.restore(stopped.state())
    list(resumed.events())
    assert resumed.step == whole.step == 15
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, resumed.state()[name]), name


def test_same_seed_same_student_and_another_seed_another():
    first, again, other = distiller(), distiller(), distiller(seed=1)
    assert figures(first.events()) == figures(again.events())
    assert figures(other.events()) != figures(distiller().events())


def test_learning_rate_warms_up_and_ends_at_zero():
    student = distiller()
    rates = [student.optimizer.param_groups[0]["lr"] for event in student.events() if event.kind == "step"]
    assert rates[0] == pytest.approx(0.02 / distill.WARMUP) and max(rates) < 0.02
    student.step = student.total_steps
    assert student._lr() == pytest.approx(0, abs=1e-9)
