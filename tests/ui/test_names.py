"""Rules for names of runs."""

import pytest

from transclipped.ui import names


@pytest.mark.parametrize(("name", "valid"), [("new", True), ("old", False), ("a/b", False), ("", False)])
def test_a_valid_name_is_well_formed_and_not_taken(name, valid):
    assert (names.problem(name, taken={"old": 1}) == "") == valid
