"""The collapse alarm against loops and at its limits."""

import pytest
import torch

from tests.training.objectives.reference import cosine
from transclipped.training.collapse import COLLAPSED, has_collapsed, mean_cosine


def test_mean_cosine_agrees_with_the_loop():
    z = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z[3] = 0
    rows = z.tolist()
    pairs = [cosine(rows[i], rows[j]) for i in range(9) for j in range(9) if i != j]
    assert mean_cosine(z) == pytest.approx(sum(pairs) / len(pairs), abs=1e-6)


@pytest.mark.parametrize(
    "z, value",
    [
        (torch.ones(5, 3), 1.0),
        (torch.eye(4), 0.0),
        (torch.zeros(4, 2), 0.0),
        (torch.ones(1, 3), 0.0),
        (torch.ones(0, 3), 0),
    ],
)
def test_known_values(z, value):
    assert mean_cosine(z) == pytest.approx(value, abs=1e-6)


def test_the_alarm_is_above_the_limit_only():
    assert has_collapsed(1.0) and not has_collapsed(COLLAPSED) and not has_collapsed(None) and not has_collapsed(0.3)
