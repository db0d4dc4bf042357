"""What differs between machines: devices, processes, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

WINDOWS = os.name == "nt"


def best_device() -> str:
    """ "cuda", "mps" or "cpu", the first that is there."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def process_alive(pid: int) -> bool:
    """Whether a process of this machine still runs."""
    if WINDOWS:
        answer = subprocess.run(["tasklist", "/FI", f"PID eq {pid}", "/NH"], capture_output=True, text=True)
        return str(pid) in answer.stdout
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    """A child that has ended and was not waited for; only Linux tells."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def spawn(arguments: list[str], *, log: Path) -> subprocess.Popen:
    """Start `python -m transclipped …` so that it outlives this process; both its streams go to `log`."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if WINDOWS else {"start_new_session": True}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "transclipped", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment,
            **detached,
        )


def on_stop_signals(handler: Callable[[int], None]) -> None:
    """Call `handler(number)` on SIGINT and SIGTERM instead of dying."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: handler(number))
