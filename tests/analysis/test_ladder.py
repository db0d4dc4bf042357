"""Moves of hits, against loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transclipped.analysis.ladder import compared, moves

RANKING = st.lists(st.integers(0, 30), unique=True, max_size=20)


@given(before=st.lists(RANKING, min_size=1, max_size=3), after=RANKING)
def test_moves_are_differences_of_the_best_places(before, after):
    result = moves([np.array(ranking, int) for ranking in before], np.array(after, int))
    for place, row in enumerate(after):
        places = [ranking.index(row) for ranking in before if row in ranking]
        assert result[place] == (min(places) - place if places else None)


def test_nothing_moves_in_a_first_ranking():
    assert moves([], np.array([4, 2])) == [0, 0]


def test_a_fusion_is_compared_with_its_branches_and_they_with_nothing():
    assert compared(5, branches=3) == [[], [], [], [0, 1, 2], [3]]
    assert compared(3) == [[], [0], [1]] and compared(0) == []
