"""The command `pipeline`: results, resuming, exit codes."""

import csv
import io
import json

import pytest

from tests.conftest import refused
from transclipped.cli import main
from transclipped.retrieval.advice import advice
from transclipped.retrieval.line import parse

SMALL = ["--dataset", "cifar10", "--database-limit", "100", "--queries", "20"]
LINES = "# a comment\nefficientnet-lite0(32) | l2\n\nefficientnet-lite0(32) | l2 | pq(16) | qe(3)\n"


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(LINES)
    return path


def test_run_prints_and_saves(tmp_path, capsys):
    words = ["pipeline", "run", "efficientnet-lite0(32) | l2 | pq(16)", *SMALL]
    assert main([*words, "--k", "30", "--out", str(tmp_path / "saved"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    needed = {"pipeline", "map", "map_r", "precision@10", "recall@K", "seconds_per_query", "bytes_per_item"}
    assert needed | {"seconds_to_fit", "seed", "k"} <= result.keys() and result["k"] == 30
    assert result["pipeline"] == "efficientnet-lite0(size=32) | l2 | pq(bits=16)"
    assert main(["search", "--id", "3", "--pipe", str(tmp_path / "saved"), "--top", "4", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4] and hits[0]["labels"]
    words = ["search", "--id", "3", "--pipe", "efficientnet-lite0(32) | l2 | pq(16)", *SMALL[:4], "--top", "4"]
    assert main([*words, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["hits"]) == 4


@pytest.mark.parametrize(("stages", "sentences"), [("pca(4)", 2), ("l2 | pca(4) | l2", 0)])
def test_run_gives_advice_apart_from_its_result(stages, sentences, capsys):
    line = f"efficientnet-lite0(32) | {stages} | float"
    assert main(["pipeline", "run", line, *SMALL, "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["k"] > 0
    expected = advice(parse(line))
    assert len(expected) == sentences
    assert [text for text in printed.err.splitlines() if text.endswith(".")] == expected


def test_compare_appends_a_line_each_and_resumes(file, tmp_path, capsys, monkeypatch):
    out = tmp_path / "results.jsonl"
    words = ["pipeline", "compare", str(file), "--out", str(out), *SMALL]
    assert main([*words, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert lines_of(out) == first and len(first) == 2
    with file.open("a") as stream:
        stream.write("efficientnet-lite0(32) | l2 | pca(8)\n")
    assert main(words) == 0
    table = capsys.readouterr().out
    assert lines_of(out)[:2] == first and len(lines_of(out)) == 3
    assert table.count("\n| ") == 4 and "- map_r: " in table and "- map: " in table
    assert main([*words, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["pipeline"] for row in rows] == [line["pipeline"] for line in lines_of(out)]
    assert len(lines_of(out)) == 3
    assert main([*words, "--k", "9"]) == 0 and len(lines_of(out)) == 6  # another measurement


def test_a_pipeline_that_fails_stops_no_other(file, tmp_path, capsys):
    file.write_text("efficientnet-lite0(32) | pca(4) | l2 | itq(16)\n" + LINES)
    out = tmp_path / "results.jsonl"
    assert main(["pipeline", "compare", str(file), "--out", str(out), *SMALL]) == 2
    assert "itq(bits=16)" in capsys.readouterr().err and len(lines_of(out)) == 2


@pytest.mark.parametrize(
    "line", ["", "l2 | l3", "efficientnet-lite0 | gem", "x" * 100_000, "l2 (", "l2 | pq | pq", "l2 | pca(0)", "stem16"]
)
def test_a_wrong_line_leaves_nothing(line, file, tmp_path, capsys):
    refused(capsys, "pipeline", "run", line, *SMALL, "--out", tmp_path / "saved")
    refused(capsys, "search", "--id", "3", "--pipe", line or "|", *SMALL[:4])
    file.write_text(LINES + (line or "|") + "\n")
    assert "line 5" in refused(capsys, "pipeline", "compare", file, "--out", tmp_path / "x.jsonl", *SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.txt"]


def test_other_mistakes(file, tmp_path, capsys):
    line = "efficientnet-lite0(32) | l2"
    refused(capsys, "pipeline", "run", line, *SMALL, "--k", "0")
    refused(capsys, "pipeline", "run", line, *SMALL, "--validation", "-1")
    refused(capsys, "pipeline", "run", line, *SMALL, "--validation", "60000")
    refused(capsys, "pipeline", "run", line, "--dataset", "nothing")
    refused(capsys, "pipeline", "run", "run:no-such-run")
    refused(capsys, "pipeline", "compare", tmp_path / "none.txt", "--out", tmp_path / "x.jsonl")
    file.write_text("# nothing\n")
    refused(capsys, "pipeline", "compare", file, "--out", tmp_path / "x.jsonl")
    refused(capsys, "search", "--id", "3")
    refused(capsys, "search", "--id", "3", "--pipe", line, "--run", "x")
    refused(capsys, "search", "--id", "3", "--id", "4", "--pipe", line, *SMALL[:4])
    assert not (tmp_path / "x.jsonl").exists()


def test_list_and_explain_name_every_stage(capsys):
    assert main(["pipeline", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    names = {stage["name"] for stage in listed["stages"]}
    assert {"stem16", "gem", "l2", "dba", "pq", "run", "clipped", "qe", "rrf"} <= names and "run" in listed["presets"]
    for stage in listed["stages"]:
        assert all(stage[part] for part in ("kind", "idea", "formula", "source")), stage["name"]
        for option, (low, *_) in ((name, ends) for name, ends in stage["bounds"].items()):
            assert option in stage["options"], (stage["name"], option)
            assert not isinstance(low, str) or stage["options"][option] in stage["bounds"][option]
    explained = ("gem", "stem16 | gem(2) | l2 | qe", "pyretri-caltech")
    for words in (["list"], *(["explain", line] for line in explained)):
        assert main(["pipeline", *words]) == 0
    assert "arXiv 1711.02512" in capsys.readouterr().out
    refused(capsys, "pipeline", "explain", "gemm")
    for line, sentences in (("l2 | float | flow | cprr", 1), ("l2 | float | flow", 0)):
        assert main(["pipeline", "explain", line, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["advice"]) == sentences
