"""Trainings as child processes: they outlive the browser and this server; their run directory is all we watch."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.flags import arguments
from transclipped.machine import spawn
from transclipped.training.run import RunDir, find_runs
from transclipped.ui import runs


@st.cache_resource
def _children() -> dict:
    """Started processes by run name, kept so that ended ones are reaped."""
    return {}


def busy() -> RunDir | None:
    """The run that is being trained, if any: two at once would halve each other's speed."""
    started = [RunDir(runs.home() / name) for name, child in list(_children().items()) if child.poll() is None]
    return next((run for run in [*started, *find_runs(runs.home())] if live(run.name)), None)


def live(name: str) -> bool:
    """Whether a run of this name is being trained, or has been started and is about to say so."""
    child = _children().get(name)
    return (child is not None and child.poll() is None) or RunDir(runs.home() / name).running


def start(config: RunConfig, name: str) -> Path:
    """Begin a training; returns its run directory.

    Raises:
        InputError: the name is not fit for a folder, is taken, or another training is on.
    """
    if not name or name in (".", "..") or any(c in name for c in '/\\:*?"<>|') or name.startswith("."):
        raise InputError(f"{name!r} cannot name a folder; use letters, digits, - and _")
    path = runs.home() / name
    if path.exists():
        raise InputError(f"there is a run {name} already; choose another name")
    _refuse_if_busy()
    path.mkdir(parents=True)
    _children()[name] = spawn(["train", *arguments(config), "--run", str(path.resolve())], log=path / "log.txt")
    return path


def resume(run: RunDir) -> None:
    """Go on with a stopped, interrupted or failed training."""
    _refuse_if_busy()
    _children()[run.name] = spawn(["train", "--resume", "--run", str(run.path.resolve())], log=run.path / "log.txt")


def last_words(path: Path) -> str:
    """Last line of a training's log that says something; for a child that died before it made a run."""
    log = path / "log.txt"
    if not log.exists():
        return ""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line.startswith("transclipped:")), "")


def _refuse_if_busy() -> None:
    if (other := busy()) is not None:
        raise InputError(f"{other.name} is being trained; stop it first, or wait until it is done")
