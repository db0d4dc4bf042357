"""A child process with its files in a folder; it outlives the process that started it.

    job.json       its spec, "pid" and "started" of the process, and "stopped" if a user stopped it
    progress.json  progress and result, written by the child: see `progress.with_file`
    log.txt        its standard output and error

If the child is killed, its job is interrupted, and can be started again.
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
PATIENCE = 5.0  # seconds to wait while another process starts a job
_MESSAGE = re.compile(r"(?:transclipped|[\w.]*(?:Error|Exception)): (?=.)")


@dataclass(frozen=True)
class Job:
    """The current or last child process of a folder."""

    folder: Path

    def start(self, arguments: list[str], spec: dict[str, Any] | None = None, **options: Any) -> None:
        """Run `python -m transclipped arguments` with `options` of `machine.spawn`; the spec is in job.json."""
        spec = {"v": 1, **(spec or {})}
        write_json(self.folder / JOB, spec)
        try:
            for name in (PROGRESS, LOG):  # of an earlier process
                (self.folder / name).unlink(missing_ok=True)
            child = spawn(arguments, log=self.folder / LOG, **options)
        except OSError as error:
            raise InputError(f"cannot start a process: {error.strerror or error}; free some space") from error
        write_json(self.folder / JOB, spec | identity(child.pid) | {"stopped": False})

    def status(self) -> dict[str, Any]:
        """Spec and progress with "state" and "error"; empty if nothing was started."""
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
        """Whether the process is running."""
        return self.status().get("state") == RUNNING

    def cancel(self) -> None:
        """Kill the process; its files stay."""
        if self.running:
            job = read_object(self.folder / JOB)
            write_json(self.folder / JOB, job | {"stopped": True})
            end_process((self._progress() or job)["pid"])

    def last_words(self) -> str:
        """The last error message in the log; "" if there is none."""
        try:
            lines = (self.folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        message = next((line for line in reversed(lines) if _MESSAGE.match(line)), "")
        return message.removeprefix("transclipped: ")

    def _progress(self) -> dict[str, Any]:
        progress = read_object(self.folder / PROGRESS)
        return progress if all(isinstance(progress.get(name, 0), int | float) for name in NUMBERS) else {}


@contextmanager
def starting(lock: Path) -> Iterator[None]:
    """Hold the lock during the block, so that no other process starts a job; InputError after `PATIENCE` seconds."""
    with exclusive(lock, wait=PATIENCE) as mine:
        if not mine:
            raise InputError("another process is being started; try again")
        yield
