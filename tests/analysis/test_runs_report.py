"""The report of a folder of runs: the committed one is up to date, and different tasks have separate tables."""

import pytest

from transclipped.analysis.runs_report import FILE, report, row, write_report
from transclipped.cli import main
from transclipped.config import OBJECTIVE_NAMES
from transclipped.errors import InputError
from transclipped.runs.run import RunDir, find_runs
from transclipped.utils.files import ASSETS, read_json, write_json

RUNS = ASSETS / "runs"


def test_the_committed_report_equals_the_output_of_the_command_in_any_order():
    assert (RUNS / FILE).read_text(encoding="utf-8") == report(find_runs(RUNS))
    runs = find_runs(RUNS)
    assert report(runs) == report(runs[::-1])


def test_a_row_holds_the_measurements():
    name = "hybrid-cifar10-32-clipped"
    modes = read_json(RUNS / name / "metrics.json")["modes"]
    line = row(RunDir(RUNS / name))
    for search in ("asymmetric", "symmetric", "float"):
        assert line[search] == modes[search]["map"]
    assert line["tie-aware"] == modes["asymmetric"]["map_tie_aware"]
    assert (line["bits"], line["epochs"], line["clipping"]) == (32, 6, "adaptive c = 2.5, τ = 0.2")


@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
def test_a_temperature_stands_only_where_the_loss_has_one(objective, tmp_path):
    source = RUNS / "hybrid-cifar10-32-clipped"
    config = read_json(source / "config.json")
    config["loss"]["objective"] = objective
    write_json(tmp_path / "config.json", config)
    write_json(tmp_path / "metrics.json", read_json(source / "metrics.json"))
    clipping = row(RunDir(tmp_path))["clipping"]
    assert ("τ = 0.2" in clipping) == (objective in ("simclr", "moco"))
    assert objective == "simclr" or clipping.startswith(objective)


@pytest.fixture
def folder(tmp_path):
    """Three runs with settings and metrics only; the third has another K."""
    source = RUNS / "cnn-caltech101-32-none"
    for name, k in (("a", 100), ("b", 100), ("c", 10)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_bytes((source / "config.json").read_bytes())
        write_json(tmp_path / name / "metrics.json", read_json(source / "metrics.json") | {"k": k})
    return tmp_path


def test_runs_of_other_tasks_have_separate_tables(folder, capsys):
    assert main(["summary", str(folder), "--report"]) == 0
    tables = (folder / FILE).read_text(encoding="utf-8").split("## ")[1:-1]
    assert [("mAP@100" in table, table.count("| `")) for table in tables] == [(False, 1), (True, 2)]


def test_a_folder_without_runs_and_a_run_without_labels_are_refused(folder, capsys):
    assert main(["summary", str(folder / "a"), "--report"]) == 2  # a run, not a folder of runs
    assert not (folder / "a" / FILE).exists()
    write_json(folder / "b" / "metrics.json", read_json(folder / "b" / "metrics.json") | {"modes": {}})
    with pytest.raises(InputError, match="/b"):
        write_report(folder)
    assert not (folder / FILE).exists()
