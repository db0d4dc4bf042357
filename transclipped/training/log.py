"""The log of a training in its run: events, and a status with a heartbeat."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from typing import Any

from transclipped.errors import InputError
from transclipped.runs.run import FORMAT, RunDir
from transclipped.utils.files import replacing, write_json
from transclipped.utils.machine import process_start

HEARTBEAT = 2.0  # seconds between two updates of the status


class RunLog:
    """Writes the events and the status of a training; a thread updates the heartbeat."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self._running: dict[str, Any] = {"v": FORMAT, "state": "running", "pid": os.getpid()}
        if started := process_start(os.getpid()):
            self._running["started"] = started
        self._status = self._running | {"stage": "preparing"}
        self._time = 0.0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._write()
        threading.Thread(target=self._beat, daemon=True).start()

    def event(self, kind: str, *, epoch: float, step: int, **values: Any) -> None:
        """Append one line; times never decrease, even if the clock does.

        The line of an epoch is synced to the disk, since the state saved next relies on it.
        """
        self._time = max(self._time, round(time.time(), 3))
        record = {"v": FORMAT, "t": self._time, "kind": kind, "epoch": round(epoch, 5), "step": step}
        line = json.dumps(record | {k: _short(v) for k, v in values.items()}) + "\n"
        path = self.run.path / "events.jsonl"
        try:  # reopened each time, since resuming replaces the file
            with path.open("a", encoding="utf-8") as file:
                file.write(line)
                if kind != "step":
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}; free some space, then resume") from error

    def stage(self, stage: str, **progress: Any) -> None:
        """Set the current stage; the next heartbeat writes it."""
        with self._lock:
            self._status = self._running | {"stage": stage, **progress}

    def end(self, state: str, *, error: str | None = None, epoch: float = 0.0, step: int = 0) -> None:
        """Write the final state: finished, stopped or failed."""
        if self._ended.is_set():
            return
        self._ended.set()
        with self._lock:
            self._status = {"v": FORMAT, "state": state, "pid": os.getpid()} | ({"error": error} if error else {})
        self._write(durable=True)
        self.event("state", epoch=epoch, step=step, state=state)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            with suppress(InputError):  # the next event reports a full disk
                self._write()

    def _write(self, *, durable: bool = False) -> None:
        with self._lock:
            status = {**self._status, "heartbeat": round(time.time(), 3)}
            write_json(self.run.path / "status.json", status, durable=durable)


def trim_events(run: RunDir, step: int) -> None:
    """Remove the events after `step`, since a resumed training repeats them."""
    lines = [json.dumps(event) + "\n" for event in run.events() if event.get("step", 0) <= step]
    with replacing(run.path / "events.jsonl") as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
