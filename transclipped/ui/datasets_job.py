"""Checks of whole data sets as child processes: reading 25,000 photographs takes a minute, and pages must answer."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from transclipped import machine
from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.files import cache_dir, read_json
from transclipped.ui import access


@st.cache_resource
def _children() -> dict:
    """Started checks by fingerprint, kept so that ended ones are reaped."""
    return {}


def start(config: DataConfig, fingerprint: str) -> None:
    """Begin to check a data set, unless that is going on.

    Raises:
        InputError: this visitor may not, or the cache cannot be written.
    """
    access.require(access.TRAIN)
    config = access.allowed(config)
    if running(fingerprint):
        return
    log = _file(fingerprint, "log")
    command = ["datasets", "check", config.dataset, *([str(Path(config.data).resolve())] if config.data else [])]
    command += ["--labels", str(Path(config.labels).resolve())] if config.labels else []
    command += ["--annotations", config.annotations]
    command += ["--json", "--progress", str(_file(fingerprint, "progress.json"))]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        for old in (log, _file(fingerprint, "progress.json")):
            old.unlink(missing_ok=True)
        _children()[fingerprint] = machine.spawn(command, log=log)
    except OSError as error:
        raise InputError(f"cannot start the check: {error}; free some space, or set TRANSCLIPPED_CACHE") from error


def running(fingerprint: str) -> bool:
    """Whether a check is going on, started by this server or by one before it."""
    child = _children().get(fingerprint)
    if child is not None:
        return child.poll() is None
    told = progress(fingerprint)
    return machine.process_alive(told.get("pid"), told.get("started"))


def progress(fingerprint: str) -> dict:
    """`done`, `total`, `seconds`, `pid` and `started` of the last check; empty before it tells any."""
    try:
        found = read_json(_file(fingerprint, "progress.json"))
    except InputError:
        return {}
    return found if isinstance(found, dict) else {}


def failure(fingerprint: str) -> str:
    """Last words of a check that ended without a report; empty if it said nothing."""
    try:
        lines = _file(fingerprint, "log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.startswith("transclipped:")), "")


def _file(fingerprint: str, ending: str) -> Path:
    return cache_dir() / "checks" / f"{fingerprint}.{ending}"
