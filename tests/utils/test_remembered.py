"""Values in the cache: kept beside each other, and none from a damaged file or on a full disk."""

import json

import pytest

from transclipped.utils.remembered import remember, remembered


def test_values_are_kept_beside_those_of_others(tmp_path):
    path = tmp_path / "cache" / "speeds.json"
    assert remembered(path) == {}
    remember(path, "a", 1)
    path.write_text(json.dumps({"a": 1, "b": [2]}))  # another process
    remember(path, "c", None)
    assert remembered(path) == {"a": 1, "b": [2], "c": None}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"null", b'"text"', b"[" * 100_000])
def test_a_damaged_file_holds_nothing_and_is_replaced(tmp_path, content):
    path = tmp_path / "speeds.json"
    path.write_bytes(content)
    assert remembered(path) == {}
    remember(path, "a", 1)
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_cache_that_cannot_be_written_remembers_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "speeds.json", "a", 1)
    assert remembered(tmp_path / "file" / "speeds.json") == {}
