"""Readable output of commands: no raw keys and nothing empty."""

import json

import pytest

from transclipped.cli import main
from transclipped.utils import wording


def test_names_are_words_and_empty_values_are_left_out():
    classes = {"train": {"cat": 3, "dog": 2}, "validation": {"cat": 0, "dog": 0}}
    result = {"v": 1, "label_kind": "single", "folder": None, "notes": [], "uses_labels": False, "classes": classes}
    printed = [(line[: wording.WIDTH].strip(), line[wording.WIDTH :].strip()) for line in wording.lines(result)]
    assert printed == [
        ("labels", "one per image"),
        ("training images chosen by label", "no"),
        ("training, by class", "cat 3, dog 2"),
    ]
    damaged = {"count": 1, "pictures": [{"id": "a.png", "reason": "empty"}]}
    names = [line[: wording.WIDTH].strip() for line in wording.lines({"pictures": 2, "damaged": damaged})]
    assert names == ["images", "damaged", "damaged"]
    score, size = wording.lines({"score_is_faiss_score_divided_by": 4, "bytes": 3_400_000})
    assert "faiss's score divided by 4" in score and size.endswith("3.4 MB")


def test_a_long_list_is_truncated_with_the_number_left():
    lines = list(wording.lines({"skipped": [{"id": f"{i}.png", "reason": "empty"} for i in range(13)]}))
    assert len(lines) == wording.LINES + 1 and lines[0].endswith("0.png: empty") and "3 more" in lines[-1]


@pytest.mark.parametrize(("n", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (25 * 10**8, "2.5 GB")])
def test_sizes(n, text):
    assert wording.size(n) == text


@pytest.mark.parametrize(
    "words",
    [
        ["datasets", "check", "cifar10", "--quick"],
        ["datasets", "cache"],
        ["export", "--what", "codes"],
        ["export", "--what", "faiss"],
        ["evaluate", "--stored"],
        ["summary"],
    ],
)
def test_no_command_prints_raw_keys(words, tiny_run, tmp_path, capsys):
    if words[0] in ("export", "evaluate"):
        words = [*words, "--run", str(tiny_run), *(["--out", str(tmp_path / "out")] if words[0] == "export" else [])]
    if words[0] == "summary":
        words = [*words, str(tiny_run)]
    capsys.readouterr()
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    keys = _keys(json.loads(capsys.readouterr().out))
    names = [line[: wording.WIDTH].strip() for line in printed.splitlines()]
    assert names and not [key for key in keys if "_" in key and any(key in name for name in names)]
    assert "None" not in printed and "False" not in printed


def _keys(value):
    if isinstance(value, dict):
        return {*value, *(key for inner in value.values() for key in _keys(inner))}
    return {key for inner in value for key in _keys(inner)} if isinstance(value, list) else set()
