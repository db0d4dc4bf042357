"""Checks of whole data sets in child processes: reading 25,000 photographs takes a minute, and pages must respond."""

from __future__ import annotations

from pathlib import Path

from transclipped.config import DataConfig
from transclipped.ui import access
from transclipped.utils.files import cache_dir
from transclipped.utils.jobs import PROGRESS, Job


def of(key: str) -> Job:
    """The last check with a key, such as the fingerprint of the data set."""
    return Job(cache_dir() / "checks" / key)


def start(config: DataConfig, key: str, *, quick: bool = False) -> None:
    """Start to check a data set, unless a check with this key is running; raises InputError if the visitor may not.

    Args:
        quick: only scan the folder, which makes opening it fast.
    """
    access.require(access.TRAIN)
    config, job = access.allowed(config), of(key)
    if job.running:
        return
    command = ["datasets", "check", config.dataset, *([str(Path(config.data).resolve())] if config.data else [])]
    command += ["--labels", str(Path(config.labels).resolve())] if config.labels else []
    command += ["--annotations", config.annotations]
    command += ["--quick"] * quick + ["--json", "--progress", str(job.folder / PROGRESS)]
    job.start(command)
