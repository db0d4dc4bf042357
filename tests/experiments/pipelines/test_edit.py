"""Lines changed a stage at a time."""

import pytest

from transclipped.errors import InputError
from transclipped.experiments.pipelines import edit
from transclipped.experiments.pipelines.pipeline import Pipeline

LINE = "head32 | gem(3) | l2 | pq(32) | qe(10)"


def line(text):
    return Pipeline(text).line


def test_chips_written_together_are_the_line():
    assert " | ".join(edit.chips(line(LINE))) == str(line(LINE))


def test_short_names_leave_options_out_but_not_names():
    text = "run:hybrid-caltech101-32-clipped | qe(10)"
    assert edit.short(line(text)) == ["run:hybrid-caltech101-32-clipped", "qe"]


@pytest.mark.parametrize(
    ("name", "place"), [("k-reciprocal", 5), ("pca", 3), ("dba", 3), ("mpfa", 1), ("l2", 3), ("head32", None)]
)
def test_a_stage_is_added_at_the_last_place_where_it_fits(name, place):
    text = edit.with_stage(line(LINE), name)
    if place is None:
        assert text is None
    else:
        assert line(text).steps[place].name == name and len(line(text).steps) == 6


def test_everything_offered_is_a_line():
    for before in (None, line(LINE), line("rrf(head32 | gem + stem16 | gem)"), line("pq | qe")):
        options = edit.fitting(before)
        assert options
        for name, text in options.items():
            steps = [step.name for step in line(text).steps]
            assert name in steps and str(line(text)) == text
    assert not {"run", "backbone", "rrf", "select"} & set(edit.fitting(None))


def test_a_removed_stage_is_gone_even_if_no_pipeline_is_left():
    assert [step.name for step in line(edit.without(line(LINE), 2)).steps] == ["head32", "gem", "pq", "qe"]
    with pytest.raises(InputError):
        line(edit.without(line(LINE), 1))
    assert edit.without(line("float"), 0) == ""


def test_a_second_stage_that_makes_all_lists_anew_is_not_offered():
    assert {"flow", "cprr", "k-reciprocal"} <= set(edit.fitting(line(LINE)))
    assert not {"flow", "cprr", "k-reciprocal"} & set(edit.fitting(line(f"{LINE} | flow")))
