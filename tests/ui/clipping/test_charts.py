"""The forces on one anchor's images are arrows: negatives are pushed outward, the positive is pulled inward."""

import numpy as np
import pytest

from transclipped.analysis.clipping.report import AnchorSteps, Forces
from transclipped.ui.clipping import charts

PUSH, CLIPPED = np.array([0.4, 0.2, 0.1, 0.0]), np.array([True, False, False, False])


def arrows(figure) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Start, end and opacity of every arrow."""
    result = []
    for trace in figure.data:
        if trace.name == "force":
            points = np.stack([trace.x, trace.y], axis=-1).reshape(-1, 3, 2)
            assert np.isnan(points[:, 2]).all() and trace.marker.size == (0, charts.HEAD, 0) * len(points)
            result += [(start, end, trace.opacity) for start, end, _ in points]
    return result


@pytest.fixture
def figure():
    before = Forces(1.0, PUSH, 0.3, PUSH, -0.4)
    after = Forces(0.8, PUSH * ~CLIPPED, 0.6, PUSH * ~CLIPPED, -0.2)
    similarity, false = np.array([0.9, 0.5, 0.2, -0.5]), np.array([True, False, False, False])
    steps = AnchorSteps(4, 0.7, np.arange(4), similarity, false, CLIPPED, 0.8, before, after)
    return charts.forces(steps, key="test", height=300)


def test_each_negative_is_pushed_outward_in_proportion_to_its_gradient(figure):
    *pushes, (start, end, opacity) = arrows(figure)
    lengths, opacities = {}, {}
    for (x, y), (to_x, to_y), shown in pushes:
        radius = round(float(np.hypot(x, y)), 6)
        assert x * to_y == pytest.approx(y * to_x) and np.hypot(to_x, to_y) > radius
        lengths[radius], opacities[radius] = np.hypot(to_x - x, to_y - y), shown
    assert opacities == {0.1: charts.THIN, 0.5: 1, 0.8: 1}  # by 1 − cosine; nothing pushes the fourth
    assert lengths[0.1] / lengths[0.5] == pytest.approx(2) and lengths[0.5] / lengths[0.8] == pytest.approx(2)
    assert np.linalg.norm(end) < np.linalg.norm(start) and opacity == 1
