"""The report of the study: the committed one is up to date; an incomplete study has none."""

import json
import re
import shutil

import pytest

from transclipped.cli import main
from transclipped.errors import InputError
from transclipped.experiments.study.report import FILE, report, write_report
from transclipped.utils.files import ASSETS

STUDY = ASSETS / "study"


def test_the_committed_report_is_what_the_command_writes():
    assert (STUDY / FILE).read_text(encoding="utf-8") == report(STUDY)


@pytest.fixture
def copy(tmp_path):
    for file in STUDY.glob("*.jsonl"):
        shutil.copy(file, tmp_path)
    return tmp_path


def test_numbers_follow_the_results(copy, capsys):
    lines = [json.loads(line) for line in (copy / "codes.jsonl").read_text().splitlines()]
    lines[0]["symmetric"] = 0.98765
    (copy / "codes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["study", "--report", "--out", str(copy)]) == 0
    changed = set((copy / FILE).read_text(encoding="utf-8").splitlines()) - set(report(STUDY).splitlines())
    assert [line.split("|")[4].strip() for line in changed] == ["0.988"]


def test_gains_are_the_best_rule_less_none(copy):
    rows = [json.loads(line) for line in (copy / "shared.jsonl").read_text().splitlines()]
    for row in rows:
        row["map"] = {"none": 0.25, "rank": 0.5, "threshold": 0.375, "adaptive": 0.125}[row["label"]]
    (copy / "shared.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "0.250 at 16, 0.250 at 32, 0.250 at 64 bits" in report(copy)


@pytest.mark.parametrize("part", ["curve", "ideas"])
def test_an_incomplete_study_has_no_report(copy, part, capsys):
    lines = (copy / f"{part}.jsonl").read_text().splitlines(keepends=True)
    (copy / f"{part}.jsonl").write_text("".join(lines[:-1]))
    assert main(["study", "--report", "--out", str(copy)]) == 2
    assert f"--part {part}" in capsys.readouterr().err and not (copy / FILE).exists()


def test_a_failed_report_leaves_the_old_one(copy):
    (copy / FILE).write_text("old")
    (copy / "batch.jsonl").unlink()
    with pytest.raises(InputError, match="batch"):
        write_report(copy)
    assert (copy / FILE).read_text() == "old"


@pytest.mark.parametrize("heading", ["Rules", "One temperature"])
def test_rules_are_ordered_by_map_at_32_bits_and_training_without_clipping_is_bold(heading):
    section = (ASSETS / "study" / "README.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    names, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in re.findall(r"^\|.*", section, re.M))
    column = next(i for i, name in enumerate(names) if name.endswith("32 bits"))
    values = [float(row[column].split()[0]) for row in rows]
    assert values == sorted(values, reverse=True)
    (bold,) = [row[0] for row in rows if "**" in row[0]]
    assert bold.startswith("**none")


def test_a_collapsed_head_is_marked(copy):
    def marked():
        return [line.split("|")[1].strip() for line in report(copy).splitlines() if "(collapsed)" in line]

    before = marked()
    rows = [json.loads(line) for line in (copy / "objectives.jsonl").read_text().splitlines()]
    for row in rows:
        row["mean_cosine"] = 0.991 if row["label"] == "VICReg" else row["mean_cosine"]
    (copy / "objectives.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "VICReg" not in before and sorted(marked()) == sorted([*before, "VICReg"])
