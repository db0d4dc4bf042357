"""A finished run with one damaged file: readers return what is intact, or raise an InputError."""

import json
import os
import random
import shutil

import numpy as np
import pytest
import torch

from transclipped.analysis import benchmarks, seeds
from transclipped.cli import main
from transclipped.errors import InputError
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.runs.run import RunDir
from transclipped.runs.session import trained_model
from transclipped.search.searcher import Searcher
from transclipped.training.evaluation import measure_stored

NAMES = """config.json metrics.json status.json events.jsonl retrieval.npz model.safetensors last.safetensors
    epochs/1.safetensors"""
FILES = NAMES.split()
BYTES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "end cut": lambda content: content[:-7],
    "random": lambda content: random.Random(3).randbytes(4096),
    "zeros": lambda content: bytes(len(content)),
    "401 digits": lambda content: content.replace(b": 1", b": 1" + b"1" * 400),
    "null": lambda content: content.replace(b": 1", b': null, "x": 1'),
    "NaN": lambda content: content.replace(b": 0.", b': NaN, "x": 0.'),
    "list": lambda content: b"[" + content + b"]",
    "other names": lambda content: content.replace(b'"', b'"x', 2),
}


@pytest.fixture
def run(tmp_path, tiny_run):
    shutil.copytree(tiny_run, tmp_path / "run")
    return tmp_path / "run"


def damaged_tensors(run, name, change):
    """Rewrite a file of weights, each tensor changed."""
    tensors = load_tensors(run / name)
    save_tensors(run / name, {k: change(t) for k, t in tensors.items()})


def damaged_arrays(run, **arrays):
    with np.load(run / "retrieval.npz") as file:
        stored = {name: file[name] for name in file.files} | arrays
    np.savez(run / "retrieval.npz", **{name: value for name, value in stored.items() if value is not None})


def readers(run):
    """What pages and commands read of a run, one at a time."""
    for read in (
        lambda run: run.config,
        lambda run: run.metrics(),
        lambda run: run.status(),
        lambda run: (run.running, run.problem(), run.events(), run.fingerprint),
        lambda run: [run.head(epoch=epoch) for epoch in (None, *run.epochs())],
        trained_model,
        measure_stored,
        lambda run: Searcher(run).search(Searcher(run).item("0"), top=3),
        lambda run: benchmarks.rows([run]),
        lambda run: benchmarks.without_clipping(run, [run]),
        lambda run: seeds.table(seeds.lines([run])),
    ):
        yield lambda read=read: read(RunDir(run))


def read_all(run) -> list[str]:
    """Messages of all InputErrors; no other exception is allowed."""
    messages = []
    for read in readers(run):
        try:
            read()
        except InputError as error:
            messages.append(str(error))
    return messages


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", BYTES)
def test_damage_is_reported_with_the_name_of_the_file(run, name, kind):
    content = (run / name).read_bytes()
    (run / name).write_bytes(BYTES[kind](content))
    messages = read_all(run)
    names = {os.path.basename(name), "no query and no item"}
    assert all(any(n in message for n in names) for message in messages), messages


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["missing", "folder", "loop"])
def test_a_missing_file_folder_or_loop_is_reported(run, name, kind):
    (run / name).unlink()
    if kind == "folder":
        (run / name).mkdir()
    elif kind == "loop":
        (run / name).symlink_to(run / name)
    read_all(run)


CHANGES = {
    "NaN": lambda t: torch.full_like(t, torch.nan) if t.is_floating_point() else t,
    "infinite": lambda t: torch.full_like(t, torch.inf) if t.is_floating_point() else t,
    "huge": lambda t: torch.full_like(t, 3e38, dtype=torch.float32) if t.is_floating_point() else t,
    "whole": lambda t: t.int(),
    "flat": lambda t: t.flatten(),
    "fewer": lambda t: t[..., :3].clone() if t.ndim else t,
}


@pytest.mark.parametrize("kind", CHANGES)
def test_weights_of_other_numbers_or_shapes_are_refused(run, kind):
    for name in ("model.safetensors", "epochs/1.safetensors"):
        damaged_tensors(run, name, CHANGES[kind])
    for read in (lambda: RunDir(run).head(), lambda: RunDir(run).head(epoch=1), lambda: trained_model(RunDir(run))):
        with pytest.raises(InputError, match=r"\.safetensors"):
            read()


ARRAYS = {
    "codebooks NaN": lambda r: {"codebooks": np.full_like(r.codebooks, np.nan)},
    "codebooks huge": lambda r: {"codebooks": np.full_like(r.codebooks, 1e30)},
    "codebooks whole": lambda r: {"codebooks": r.codebooks.astype(np.int32)},
    "queries NaN": lambda r: {"queries": np.full_like(r.queries, np.nan)},
    "queries infinite": lambda r: {"queries": np.full_like(r.queries, np.inf)},
    "codes of another type": lambda r: {"codes": r.codes.astype(np.int64)},
    "codes of one codebook": lambda r: {"codes": r.codes[:, :1]},
    "codes of no axis": lambda r: {"codes": np.uint8(3)},
    "ids of numbers": lambda r: {"database_ids": r.database_ids.astype(float)},
    "ids of a matrix": lambda r: {"database_ids": r.database_ids[:, None]},
    "labels of numbers": lambda r: {"database_labels": r.database_labels.astype(float)},
    "labels of no class": lambda r: {"query_labels": np.full_like(r.query_labels, 10)},
    "labels below -1": lambda r: {"query_labels": np.full_like(r.query_labels, -2)},
    "an array too many": lambda r: {"extra": np.zeros(3)},
    "an array too few": lambda r: {"codebooks": None},
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_other_numbers_or_shapes_are_refused(run, kind):
    damaged_arrays(run, **ARRAYS[kind](RunDir(run).retrieval()))
    for read in (lambda: RunDir(run).retrieval(), lambda: Searcher(RunDir(run)), lambda: measure_stored(RunDir(run))):
        with pytest.raises(InputError, match=r"retrieval\.npz"):
            read()


COMMANDS = {  # that exit with 2 and a message if these files are damaged
    "search --id": (["search", "--id", "0"], ["retrieval.npz", "config.json"]),
    "evaluate --stored": (["evaluate", "--stored"], ["retrieval.npz", "config.json", "metrics.json"]),
    "export": (["export", "--what", "codes", "--out", "codes.parquet"], ["retrieval.npz", "config.json"]),
    "train --resume": (["train", "--resume"], ["last.safetensors", "config.json"]),
    "evaluate": (["evaluate"], ["model.safetensors", "config.json"]),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_report_in_one_line(run, command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments, files = COMMANDS[command]
    for name in files:
        whole = (run / name).read_bytes()
        for kind in ("empty", "cut", "random"):
            (run / name).write_bytes(BYTES[kind](whole))
            assert main([*arguments, "--run", str(run)]) == 2
            error = capsys.readouterr().err.strip().splitlines()[-1]
            assert error.startswith("transclipped: ") and name in error
        (run / name).write_bytes(whole)


@pytest.mark.parametrize("evil", ["step", "ended", "weights", "slots", "a slot of one number", "before", "far"])
def test_an_invalid_checkpoint_is_not_resumed(run, evil, capsys):
    state = load_tensors(run / "last.safetensors")
    changes = {
        "step": {"step": torch.tensor(torch.nan)},
        "ended": {"ended": torch.tensor(-1)},
        "weights": {"model.projection.bias": torch.full_like(state["model.projection.bias"], torch.nan)},
        "slots": {"optimizer.0.exp_avg": torch.zeros(3)},
        "a slot of one number": {"optimizer.0.exp_avg": torch.tensor(0.0)},
        "before": {"optimizer.0.step": torch.tensor(-1.0)},
        "far": {"step": torch.tensor(2**40), "ended": torch.tensor(2**39)},
    }
    save_tensors(run / "last.safetensors", state | changes[evil])
    assert main(["train", "--run", str(run), "--resume"]) == 2
    assert "cannot be resumed" in capsys.readouterr().err


@pytest.mark.parametrize("heartbeat", [0, 1e12, 4e9])
def test_a_dead_run_is_interrupted_whatever_its_last_heartbeat(run, heartbeat):
    status = {"v": 1, "state": "running", "pid": 2**22 + 1, "heartbeat": heartbeat}
    (run / "status.json").write_text(json.dumps(status))
    assert RunDir(run).status()["state"] == "interrupted"
    assert not RunDir(run).running
    (run / "status.json").write_text(json.dumps(status | {"pid": os.getpid()}))
    assert RunDir(run).status()["state"] == "running"


@pytest.mark.parametrize("heartbeat", ["null", '"x"', "[]", "NaN", "1" + "0" * 400, "1e999"])
def test_an_invalid_heartbeat_is_reported_and_does_not_prevent_resuming(run, heartbeat):
    (run / "status.json").write_text(f'{{"v": 1, "state": "running", "pid": 1, "heartbeat": {heartbeat}}}')
    with pytest.raises(InputError, match=r"status\.json"):
        RunDir(run).status()
    assert main(["train", "--run", str(run), "--resume"]) == 0
    assert RunDir(run).status()["state"] == "finished"


def test_a_damaged_run_among_others_is_reported_and_breaks_no_other(run, tmp_path):
    shutil.copytree(run, tmp_path / "other")
    for name in ("config.json", "metrics.json"):
        whole = (run / name).read_bytes()
        (run / name).write_bytes(b"[1]")
        rows, problems = benchmarks.rows([RunDir(run), RunDir(tmp_path / "other")])
        assert [row.run for row in rows] == ["other"]
        assert name in problems["run"]
        assert name in RunDir(run).problem() and RunDir(tmp_path / "other").problem() is None
        (run / name).write_bytes(whole)
    assert RunDir(run).problem() is None
