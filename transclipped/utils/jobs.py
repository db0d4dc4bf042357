"""A child process and the folder that tells all about it; it outlives whoever started it.

    job.json       the spec that it was started with, "pid" and "started" of the process, and "stopped" by a person
    progress.json  how far it is and how it ended, as the child itself says: see `progress.with_file`
    log.txt        both its streams

The child may be killed at any moment; its job is interrupted then, and can be started again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.utils.files import read_object, write_json
from transclipped.utils.machine import end_process, exclusive, identity, lives, spawn

JOB, PROGRESS, LOG = "job.json", "progress.json", "log.txt"
RUNNING, FINISHED, FAILED, STOPPED, INTERRUPTED = "running", "finished", "failed", "stopped", "interrupted"
NUMBERS = ("done", "total", "seconds")  # of a progress file
PATIENCE = 5.0  # seconds that another process gets to start its job
_MESSAGE = re.compile(r"(?:transclipped|[\w.]*(?:Error|Exception)): (?=.)")


@dataclass(frozen=True)
class Job:
    """The child process of a folder, or what an earlier one left there."""

    folder: Path

    def start(
        self,
        arguments: list[str],
        spec: dict[str, Any] | None = None,
        *,
        module: str = "transclipped",
        passive: bool = False,
    ) -> None:
        """Run `python -m module arguments`; the child finds the spec in job.json.

        Args:
            passive: as in `machine.spawn`.

        Raises:
            InputError: the folder cannot be written.
        """
        spec = {"v": 1, **(spec or {})}
        write_json(self.folder / JOB, spec)
        try:
            for name in (PROGRESS, LOG):  # of an earlier process
                (self.folder / name).unlink(missing_ok=True)
            child = spawn(arguments, log=self.folder / LOG, module=module, passive=passive)
        except OSError as error:
            raise InputError(f"cannot start a process: {error.strerror or error}; free some space") from error
        write_json(self.folder / JOB, spec | identity(child.pid) | {"stopped": False})

    def status(self) -> dict[str, Any]:
        """Spec and progress with "state" and "error"; empty where nothing was started."""
        job, progress = read_object(self.folder / JOB), self._progress()
        if not job and not progress:
            return {}
        state, error = progress.get("state", RUNNING), str(progress.get("error", ""))
        if job.get("stopped") and state != FINISHED:
            state = STOPPED
        elif state not in (FINISHED, FAILED):
            state = RUNNING if lives(progress or job) else INTERRUPTED
            error = self.last_words() if state == INTERRUPTED else ""
        return job | progress | {"state": state, "error": error}

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.status().get("state") == RUNNING

    def cancel(self) -> None:
        """End the process at once; what it has stored stays."""
        if self.running:
            job = read_object(self.folder / JOB)
            write_json(self.folder / JOB, job | {"stopped": True})
            end_process((self._progress() or job)["pid"])

    def last_words(self) -> str:
        """The last message in the log, of a command or of Python as it died; "" if there is none."""
        try:
            lines = (self.folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        said = next((line for line in reversed(lines) if _MESSAGE.match(line)), "")
        return said.removeprefix("transclipped: ")

    def _progress(self) -> dict[str, Any]:
        progress = read_object(self.folder / PROGRESS)
        return progress if all(isinstance(progress.get(name, 0), int | float) for name in NUMBERS) else {}


@contextmanager
def starting(lock: Path) -> Iterator[None]:
    """Be the only one who starts a job during the block, of those who name the same lock.

    Raises:
        InputError: another process holds it for long.
    """
    with exclusive(lock, wait=PATIENCE) as mine:
        if not mine:
            raise InputError("another process is just being started; try again")
        yield
