"""Any JSON value in a run's file is either read or refused, and what is read is usable."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transclipped.errors import InputError
from transclipped.runs import records
from transclipped.runs.run import RunDir

BIG = 10**400
EVIL = [None, True, 0, -1, 2**63, BIG, -BIG, 1e308, math.nan, math.inf, "", "x" * 5000, "\0", "\ud800", [], {}, [None]]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=10)
VALUES = st.recursive(
    SCALARS | st.sampled_from([e for e in EVIL if not isinstance(e, list | dict)]),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=8), v, max_size=4),
)
CURVE = {"k": [1, 2, 5], "value": [1.0, 0.5, 0.2]}
MODE = {"map": 0.5, "map_tie_aware": 0.5, "precision": CURVE, "recall": CURVE, "per_class": {"cat": 0.5, "dog": None}}
MODE["precision_recall"] = {"recall": [0.0, 1.0], "precision": [1.0, 0.1], "bins": 100}
METRICS = {"modes": {"asymmetric": MODE, "float": MODE}, "k": 5, "n_queries": 3, "n_database": 9, "bytes_per_item": 4}
METRICS |= {"label_kind": "single", "seconds": {"a": 1.5}}
TEXTS = {
    "config": '{"v": 1, "data": {}, "class_names": ["cat"], "width": 256, "native_size": null, "command": "python"}',
    "metrics": json.dumps(METRICS),
    "status": """{"v": 1, "state": "running", "pid": 7, "started": "x", "heartbeat": 1.5, "stage": "training",
        "done": 1, "total": 2, "seconds_left": null, "error": "none"}""",
    "queued": '{"v": 1, "name": "a", "t": 1.5, "arguments": ["--k", "5"], "seconds": null, "tries": 0}',
    "collection": '{"v": 1, "model": "0a", "n": 3, "class_names": [], "native_size": 32, "folders": ["/a"]}',
    "split": '{"protocol": "I", "seed": 0, "train": ["0-9"], "query": [], "database": [1]}',
}
WHOLE = {f"{name}.json": (json.loads(text), getattr(records, f"read_{name}")) for name, text in TEXTS.items()}
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def put(folder: Path, name: str, value) -> Path:
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def places(value, at=()):
    """Path of every value inside a JSON value."""
    yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*at, key))


def replaced(value, at, new):
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(value[at[0]], at[1:], new)
    return copy


def usable(value) -> None:
    """Assert that a value can be written again as strict JSON."""
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("name", WHOLE)
def test_a_valid_file_is_read_unchanged_and_folders_and_missing_files_are_refused(tmp_path, name):
    value, read = WHOLE[name]
    for make in (lambda path: None, lambda path: path.mkdir()):
        make(tmp_path / name)
        with pytest.raises(InputError, match=name):
            read(tmp_path / name)
    (tmp_path / name).rmdir()
    assert read(put(tmp_path, name, value)) == value


@pytest.mark.parametrize("name", WHOLE)
@FAST
@given(value=VALUES)
def test_any_json_is_read_or_refused(tmp_path, name, value):
    path = put(tmp_path, name, value)
    try:
        usable(WHOLE[name][1](path))
    except InputError as error:
        assert name in str(error)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("evil", EVIL, ids=lambda e: repr(e)[:12])
def test_no_value_of_another_kind_is_accepted(tmp_path, name, evil):
    whole, read = WHOLE[name]
    for at in places(whole):
        path = put(tmp_path, name, replaced(whole, at, evil))
        try:
            value = read(path)
        except InputError as error:
            assert name in str(error) and len(str(error)) < 1000
        else:
            usable(value)
            assert isinstance(value, dict)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": 1e999}', b'{"a": NaN}', b"9" * 5000]
)
@pytest.mark.parametrize("name", WHOLE)
def test_invalid_json_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        WHOLE[name][1](tmp_path / name)


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "status.json"])
def test_a_file_is_read_up_to_its_limit(tmp_path, name, monkeypatch):
    monkeypatch.setattr(records, "MAX_JSON", 10_000)
    value, read = WHOLE[name]
    for padding, fits in ((records.MAX_JSON - 3000, True), (records.MAX_JSON, False)):
        path = put(tmp_path, name, value)
        path.write_text(path.read_text() + " " * padding)
        if fits:
            assert read(path) == value
        else:
            with pytest.raises(InputError, match="bytes"):
                read(path)


@FAST
@given(lines=st.lists(VALUES, max_size=5))
def test_invalid_events_are_skipped(tmp_path, lines):
    good = {"kind": "step", "epoch": 0.5, "step": 3, "loss": 1.5}
    text = "".join(json.dumps(value) + "\n" for value in [good, *lines, good])
    (tmp_path / "events.jsonl").write_text(text + '{"kind": "st')
    events = RunDir(tmp_path).events()
    assert events[0] == good and good in events[1:]
    for event in events:
        usable(event)
        assert type(event["step"]) is int and event["epoch"] >= 0


@pytest.mark.parametrize("key", ["kind", "epoch", "step", "loss"])
@pytest.mark.parametrize("evil", EVIL, ids=lambda e: repr(e)[:12])
def test_an_event_with_an_invalid_value_is_skipped(tmp_path, key, evil):
    event = {"kind": "step", "epoch": 1, "step": 1, "loss": 1.0} | {key: evil}
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    for event in RunDir(tmp_path).events():
        usable(event)
        assert isinstance(event["kind"], str) and type(event["step"]) is int and not isinstance(event["epoch"], bool)


@pytest.mark.parametrize("content", [b"[" * 200_000, b"\xff\xfe\n", b"\0" * 100, b"9" * 10_000])
def test_other_content_has_no_events(tmp_path, content):
    (tmp_path / "events.jsonl").write_bytes(content)
    assert RunDir(tmp_path).events() == []
