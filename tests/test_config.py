"""Invalid settings raise: every number has bounds, and every error names its setting."""

import json
import math
from argparse import ArgumentParser
from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped import flags
from transclipped.config import SIMCLR, RunConfig, from_dict, to_dict
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS

INVALID = [math.nan, math.inf, -math.inf, -1, 10**18, 10**400, -(10**400), 10**5000, 1e308, True, "1", [], {}]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=8), v, max_size=4))


def numbers(cls=RunConfig, prefix=()):
    """Path of each numeric setting, such as ("schedule", "epochs")."""
    default = cls()
    for field in fields(cls):
        value = getattr(default, field.name)
        if is_dataclass(value):
            yield from numbers(type(value), (field.name,))
        elif "int" in field.type or "float" in field.type:
            yield (*prefix, field.name)


def changed(path, value):
    """The default settings with `value` at `path`."""
    values = json.loads(json.dumps(to_dict(RunConfig())))
    at = values
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return values


@pytest.mark.parametrize("path", list(numbers()), ids=".".join)
@pytest.mark.parametrize("value", INVALID, ids=lambda v: repr(v)[:12] if v != 10**5000 else "10^5000")
def test_every_number_has_bounds(path, value):
    if (path, value) == (("clipping", "threshold"), -1):
        return  # a valid cosine
    with pytest.raises(InputError) as caught:
        from_dict(RunConfig, changed(path, value))
    assert path[-1] in str(caught.value)
    assert len(str(caught.value)) < 500


@given(VALUES)
def test_any_value_is_a_configuration_or_an_error(values):
    try:
        assert isinstance(from_dict(RunConfig, values), RunConfig)
    except InputError as error:
        str(error).encode("utf-8", "backslashreplace")


@given(
    st.sampled_from([("data", "data"), ("backbone", "name"), ("backbone", "train"), ("clipping", "rule"), ("plugin",)]),
    st.text(st.characters(codec=None), max_size=50) | st.sampled_from(["x" * 5000, "last-" + "9" * 5000, "last-²"]),
)
def test_names_and_paths_can_be_written_as_json(path, text):
    try:
        config = from_dict(RunConfig, changed(path, text))
    except InputError:
        return
    assert "\0" not in text and len(text) <= 4096
    json.dumps(to_dict(config), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("path", sorted(p.parent for p in ASSETS.glob("runs/*/config.json")), ids=lambda p: p.name)
def test_bundled_runs_read_as_written(path):
    run, record = RunDir(path), json.loads((path / "config.json").read_text())
    assert run.record == record
    for name, value in to_dict(run.config).items():  # older runs lack some settings
        written = record.get(name, value)
        assert value == (value | written if isinstance(value, dict) else written)
    parser = ArgumentParser()
    flags.add_flags(parser)
    changes = flags.given(parser.parse_args(flags.arguments(run.config)))
    assert flags.configured(RunConfig(), changes) == run.config
    assert run.metrics() == json.loads((path / "metrics.json").read_text())
    assert run.events() == [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    assert run.status() == json.loads((path / "status.json").read_text())
    assert run.problem() is None


def test_runs_from_before_objectives_read_as_simclr():
    values = to_dict(RunConfig())
    del values["loss"]["objective"]
    assert from_dict(RunConfig, values) == RunConfig() and RunConfig().loss.objective == SIMCLR
    assert "--objective" not in flags.arguments(RunConfig())
    chosen = flags.configured(RunConfig(), {"loss.objective": "byol"})
    assert flags.arguments(chosen) == ["--objective", "byol"] and from_dict(RunConfig, to_dict(chosen)) == chosen
