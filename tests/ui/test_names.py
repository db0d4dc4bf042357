"""Why a run cannot have a name."""

import pytest

from transclipped.ui import names


@pytest.mark.parametrize(("name", "good"), [("new", True), ("old", False), ("a/b", False), ("", False)])
def test_a_name_is_fit_and_free(name, good):
    assert (names.problem(name, taken={"old": 1}) == "") == good
