"""Checks of whole data sets as child processes: reading 25,000 photographs takes a minute, and pages must answer."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.ui import access
from transclipped.utils import machine
from transclipped.utils.files import cache_dir
from transclipped.utils.progress import last_words
from transclipped.utils.remembered import remembered


@st.cache_resource
def _children() -> dict:
    """Started checks by key, kept so that ended ones are reaped."""
    return {}


def start(config: DataConfig, key: str, *, quick: bool = False) -> None:
    """Begin to check a data set, unless such a check is running.

    Args:
        key: names the check, such as the fingerprint of the data set.
        quick: only scan the folder, so that it opens at once afterwards.

    Raises:
        InputError: this visitor may not, or the cache cannot be written.
    """
    access.require(access.TRAIN)
    config = access.allowed(config)
    if running(key):
        return
    log = _file(key, "log")
    command = ["datasets", "check", config.dataset, *([str(Path(config.data).resolve())] if config.data else [])]
    command += ["--labels", str(Path(config.labels).resolve())] if config.labels else []
    command += ["--annotations", config.annotations]
    command += ["--quick"] * quick + ["--json", "--progress", str(_file(key, "progress.json"))]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        for old in (log, _file(key, "progress.json")):
            old.unlink(missing_ok=True)
        _children()[key] = machine.spawn(command, log=log)
    except OSError as error:
        raise InputError(f"cannot start the check: {error}; free some space, or set TRANSCLIPPED_CACHE") from error


def cancel(key: str) -> None:
    """End a check."""
    if running(key):
        child = _children().get(key)
        machine.end_process(child.pid if child is not None else progress(key).get("pid"))
        if child is not None:
            child.wait(timeout=5)


def running(key: str) -> bool:
    """Whether a check is going on, started by this server or by one before it."""
    child = _children().get(key)
    if child is not None:
        return child.poll() is None
    told = progress(key)
    return machine.process_alive(told.get("pid"), told.get("started"))


def progress(key: str) -> dict:
    """How far the last check is, see `progress.with_file`; empty before it says anything."""
    return remembered(_file(key, "progress.json"))


def failure(key: str) -> str:
    """Last words of a check that ended without a report; empty if it said nothing."""
    return last_words(_file(key, "log"))


def _file(key: str, ending: str) -> Path:
    return cache_dir() / "checks" / f"{key}.{ending}"
