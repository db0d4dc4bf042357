"""Cached values: measured once, added to those of others, with damaged files and full disks."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from transclipped.utils.files import read_object
from transclipped.utils.measured import remember, remembered

DAMAGED = [b"", b"{", b"[1]", b"\xff", b"null", b'"text"', b"[" * 100_000]


def number(value) -> bool:
    return type(value) is int


def test_values_of_other_processes_are_kept(tmp_path):
    path = tmp_path / "cache" / "speeds.json"
    assert read_object(path) == {}
    remember(path, "a", 1)
    path.write_text(json.dumps({"a": 1, "b": [2]}))  # another process
    remember(path, "c", None)
    assert read_object(path) == {"a": 1, "b": [2], "c": None}


def test_a_value_is_measured_once_unless_invalid(tmp_path):
    path, calls = tmp_path / "speeds.json", []

    def measure():
        calls.append(1)
        return len(calls)

    assert [remembered(path, key, measure, valid=number) for key in "aab"] == [1, 1, 2]
    remember(path, "a", "fast")
    assert remembered(path, "a", measure, valid=number) == 3 and read_object(path) == {"a": 3, "b": 2}


def test_simultaneous_threads_measure_once(tmp_path):
    together, calls = threading.Barrier(4, timeout=20), []

    def measure():
        calls.append(1)
        time.sleep(0.1)
        return 7

    def read(_):
        together.wait()
        return remembered(tmp_path / "speeds.json", "a", measure, valid=number)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(4))) == {7}
    assert len(calls) == 1


def test_a_measurement_may_need_another(tmp_path):
    path = tmp_path / "speeds.json"
    outer = remembered(path, "a", lambda: remembered(path, "b", lambda: 2, valid=number) + 1, valid=number)
    assert outer == 3 and read_object(path) == {"a": 3, "b": 2}


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_empty_and_replaced(tmp_path, content):
    path = tmp_path / "speeds.json"
    path.write_bytes(content)
    assert read_object(path) == {}
    assert remembered(path, "a", lambda: 1, valid=number) == 1
    assert json.loads(path.read_text()) == {"a": 1}


def test_without_a_writable_cache_values_are_measured_again(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "speeds.json"
    assert remembered(path, "a", lambda: 1, valid=number) == 1
    assert remembered(path, "a", lambda: 2, valid=number) == 2
