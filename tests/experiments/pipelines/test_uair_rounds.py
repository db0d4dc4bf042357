"""The rounds of UAIR: ends equal whole pipelines, and the bundled file is whole."""

import json

import pytest

from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.experiments.pipelines.uair_rounds import measure, read, write
from transclipped.ui.benchmarks import uair

RUN = "run:hybrid-caltech101-32-clipped"


def test_the_first_and_last_round_are_those_of_whole_pipelines(tmp_path):
    rounds = measure(Pipeline(RUN).fit("caltech101"), rounds=1)
    ends = [Pipeline(f"{RUN}{more}").fit("caltech101").evaluate()["map_r"] for more in ("", " | uair(rounds=1)")]
    assert rounds.map_r == pytest.approx(ends, abs=1e-5)
    assert rounds.qe == pytest.approx(Pipeline(f"{RUN} | qe").fit("caltech101").evaluate()["map_r"], abs=1e-5)
    assert rounds.proposed[0] is None and 0 < rounds.proposed[1] < 1 and 0 < rounds.believed[1] < 1
    write(rounds, tmp_path / "rounds.json")
    assert read(tmp_path / "rounds.json") == rounds


def test_the_bundled_rounds_are_whole_and_say_that_nothing_is_gained():
    rounds = read(uair.FILE)
    assert len(rounds.map_r) == 21 and rounds.data == "caltech101"
    assert "nothing over QE" in uair.verdict(rounds) and f"{rounds.qe:.3f}" in uair.verdict(rounds)


@pytest.mark.parametrize("damage", [{}, {"map_r": [0.1]}, {"more": 1}, {"qe": None, "line": 3}])
def test_damaged_rounds_are_refused(tmp_path, damage):
    values = json.loads(uair.FILE.read_text())
    (tmp_path / "x.json").write_text(json.dumps({**values, **damage} if damage else []))
    with pytest.raises(InputError):
        read(tmp_path / "x.json")
