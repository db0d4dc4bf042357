"""Loops of a walk: matches and curves against loops over frames, and longer sequences on a small walk."""

import numpy as np
import pytest

from transclipped.analysis import closures
from transclipped.config import DataConfig
from transclipped.datasets import caltech101, walk
from transclipped.errors import InputError


def some(n=25, seed=0):
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(n, n)).astype(np.float32)
    return s + s.T, np.r_[np.arange(n - 8), np.arange(8)]


def matched(s, *, length=1, exclude=1):
    return closures.matches(closures.scores(s, length=length, exclude=exclude), exclude=exclude)


def best(s, i, length, exclude):
    """Match of a frame and its score; None if no frame is early enough."""
    result = None
    for j in range(i - exclude + 1):
        values = [float(s[i - d, j - d]) for d in range(length) if j - d >= 0]
        score = sum(values) / len(values)
        if result is None or score > result[1]:
            result = (j, score)
    return result


@pytest.mark.parametrize(("length", "exclude"), [(1, 1), (4, 3), (30, 5), (3, 24)])
def test_matches_are_those_of_loops(length, exclude):
    s, _ = some()
    results = matched(s, length=length, exclude=exclude)
    expected = {i: best(s, i, length, exclude) for i in range(len(s))}
    expected = {i: value for i, value in expected.items() if value is not None}
    assert results.frame.tolist() == list(expected)
    assert results.earlier.tolist() == [j for j, _ in expected.values()]
    np.testing.assert_allclose(results.score, [score for _, score in expected.values()], atol=1e-5)


def test_the_curve_counts_right_loops_at_each_threshold():
    s, place = some(seed=2)
    s[17:, :17] += 3 * np.eye(17, dtype=np.float32)[:8]  # frame 17 + d returns to place d
    results = matched(s, exclude=4)
    curve = closures.curve(results, place, exclude=4, within=1)
    returns = sum(any(abs(place[i] - place[j]) <= 1 for j in range(i - 3)) for i in range(len(s)))
    assert returns == closures.returning(place, exclude=4, within=1).sum() == 8
    for threshold, precision, recall in zip(curve.threshold, curve.precision, curve.recall, strict=True):
        reported = [m for m in range(len(results.frame)) if results.score[m] >= threshold]
        right = sum(abs(place[results.frame[m]] - place[results.earlier[m]]) <= 1 for m in reported)
        assert precision == pytest.approx(right / len(reported)) and recall == pytest.approx(right / returns)
    assert curve.recall_at_1 == max([r for p, r in zip(curve.precision, curve.recall, strict=True) if p == 1] or [0])


def test_equal_scores_are_reported_together():
    results = closures.Matches(np.array([5, 6]), np.array([0, 3]), np.array([1.0, 1.0], np.float32))
    curve = closures.curve(results, np.array([0, 1, 2, 3, 4, 0, 9]), exclude=2, within=0)
    assert curve.precision.tolist() == [0.5] and curve.recall_at_1 == 0


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_frames_have_no_match(n):
    s = closures.similarity(np.ones((n, 3)))
    results = matched(s, exclude=5, length=4)
    curve = closures.curve(results, np.arange(n), exclude=5)
    assert not len(results.frame) and curve.recall_at_1 == 0


@pytest.mark.parametrize("n", [0, 1, 7, 12])
def test_the_map_keeps_the_largest_number_of_each_block(n):
    summed = closures.scores(some(max(n, 9))[0][:n, :n], exclude=2)
    cells, side = closures.reduced(summed, 5)
    assert cells.shape == (-(-n // side),) * 2 and max(cells.shape, default=0) <= 5
    for i in range(len(cells)):
        for j in range(len(cells)):
            values = [
                float(summed[a, b])
                for a in range(i * side, min(n, (i + 1) * side))
                for b in range(j * side, min(n, (j + 1) * side))
                if a - b >= 2
            ]
            assert cells[i, j] == pytest.approx(max(values)) if values else np.isnan(cells[i, j])


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match="all frames"):
        matched(np.ones((3, 4)))
    for options in ({"length": 0}, {"exclude": 0}):
        with pytest.raises(InputError, match="choose 1 or more"):
            matched(np.ones((3, 3)), **options)
    with pytest.raises(InputError, match="NaN"):
        closures.similarity(np.full((3, 2), np.nan))


def test_longer_sequences_find_more_loops_without_an_error():
    photographs = caltech101.load(DataConfig(dataset="caltech101"))
    images = walk.walk(photographs, places=120, start=10, frames=60)
    x = images._pixels[:, :, ::8, ::8].mean(1).reshape(180, -1)  # 64 grey pixels, without their mean
    s, place = closures.similarity(x - x.mean(1, keepdims=True)), images.route.place
    recall = []
    for length in (1, 5, 10):
        results = matched(s, length=length, exclude=10)
        recall.append(closures.curve(results, place, exclude=10).recall_at_1)
    assert recall[0] < recall[1] <= recall[2] and recall[2] > 0.5
