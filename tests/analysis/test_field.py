"""The field: every number comes from a measured line, every link opens something, every system has a source."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from transclipped.analysis import field
from transclipped.analysis.headline import STUDY, headline
from transclipped.retrieval.line import parse
from transclipped.utils.files import json_lines


def test_every_line_of_a_pair_was_measured_and_is_canonical():
    import transclipped.experiments.pipelines.pipeline  # noqa: F401, registers all stages

    values = field.measured()
    for system in field.SYSTEMS:
        for pair in system.pairs:
            for line in () if pair.data == field.HEADS else (pair.before, pair.after):
                assert str(parse(line)) == line
                assert (pair.data, line) in values, f"{system.name}: {line}"


def test_gains_are_differences_of_the_files_lines():
    lines = [line for file in sorted(field.FOLDER.glob("*.jsonl")) for line in json_lines(file)]
    lines += [
        {"data": field.HEADS, "pipeline": line["label"], "seed": line["seed"], "map_r": line["map"]}
        for line in json_lines(STUDY / f"{field.HEADS}.jsonl")
    ]
    gains = field.gains(field.measured(), own=headline())
    for system in filter(lambda system: system is not field.OWN, field.SYSTEMS):
        known = {(line["data"], line["pipeline"]) for line in lines}
        pairs = [pair for pair in system.pairs if {(pair.data, pair.before), (pair.data, pair.after)} <= known]
        assert len(pairs) == len(system.pairs) or {pair.data for pair in system.pairs} == {field.HEADS}
        for pair, gain in zip(pairs, gains[system.name], strict=True):
            of = [
                {x["seed"]: x["map_r"] for x in lines if (x["data"], x["pipeline"]) == (pair.data, line)}
                for line in (pair.before, pair.after)
            ]
            before, after = (sum(seeds.values()) / len(seeds) for seeds in of)
            assert gain.difference == pytest.approx(after - before)
    own = headline()
    assert gains[field.OWN.name][0].difference == pytest.approx(own.gain)


def test_a_missing_line_leaves_a_dash_and_a_loss_is_no_gain(tmp_path):
    pair = field.SYSTEMS[0].pairs[0]
    values = ((0, 0.5), (1, 0.7))
    rows = [{"data": pair.data, "pipeline": pair.before, "seed": seed, "map_r": value} for seed, value in values]
    rows += [{"data": pair.data, "pipeline": pair.before, "seed": 1, "map_r": 0.9}, {"pipeline": None, "map_r": None}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, [*rows, 3])) + "\n{torn")
    values = field.measured(tmp_path, tmp_path)
    assert values == {(pair.data, pair.before): pytest.approx(0.7)}
    table = field.columns(field.gains(values, own=None))
    assert set(table["Gain here"]) == set(table["Measured"]) == {"–"}
    assert len(table["System"]) == 16
    table = field.columns(field.gains({**values, (pair.data, pair.after): 0.6}, own=None))
    assert table["Gain here"][0] == "no gain (−0.100)"
    table = field.columns(field.gains({**values, (pair.data, pair.after): 0.7004}, own=None))
    assert table["Gain here"][0].startswith("no gain")


@pytest.mark.parametrize(
    ("before", "after", "text"), [(0.2134, 0.1979, "no gain (−0.015)"), (0.5538, 0.5664, "+0.012")]
)
def test_a_gain_is_that_between_the_numbers_beside_it(before, after, text):
    gain = field.Gain("", "", before, after)
    first, last = (float(number) for number in gain.words.split(": ")[1].split(" → "))
    assert gain.verdict == text and abs(last - first) == pytest.approx(abs(float(re.sub("[^0-9.]", "", text))))


def test_links_open_lines_and_pages_that_exist():
    import transclipped.experiments.pipelines.pipeline  # noqa: F401
    from transclipped.utils.files import ASSETS

    pages = {path.stem for path in (ASSETS.parent / "pages").glob("*.py")}
    for system in field.SYSTEMS:
        for _, address in system.links:
            parts = urlsplit(address)
            assert parts.path in pages
            for line in parse_qs(parts.query).get("pipe", []):
                assert parse(line)


def test_objectives_are_read_from_their_part_of_the_study(tmp_path):
    values = (("NT-Xent", 0, 0.6), ("NT-Xent", 1, 0.62), ("MoCo", 0, 0.65), ("HN", 0, 0.5), ("HN", 0, 0.4))
    rows = [{"label": label, "seed": seed, "map": value} for label, seed, value in values]
    (tmp_path / "objectives.jsonl").write_text("\n".join(map(json.dumps, rows)))
    gains = field.gains(field.measured(tmp_path / "none", tmp_path), own=None)
    (moco,) = gains["Review of contrastive retrieval"]
    assert (moco.before, moco.after) == (pytest.approx(0.61), 0.65) and gains["Intramodal consistency"] == []
