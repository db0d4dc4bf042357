"""What differs between machines: devices, processes, signals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WINDOWS = os.name == "nt"


def best_device() -> str:
    """ "cuda", "mps" or "cpu", the first that is there."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def process_alive(pid: int, started: str | None = None) -> bool:
    """Whether a process of this machine still runs; no process has a number below 1.

    Args:
        started: its `process_start`; another process that got the number since does not count then.
    """
    if not isinstance(pid, int) or pid < 1:  # 0 and −1 would ask about groups of processes, which live
        return False
    if started is not None and (found := process_start(pid)) is not None and found != started:
        return False
    if WINDOWS:
        answer = subprocess.run(["tasklist", "/FI", f"PID eq {pid}", "/NH"], capture_output=True, text=True)
        return str(pid) in answer.stdout
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def process_start(pid: int) -> str | None:
    """When a process began, in words that no later one of its number shares; None if it is gone, or off Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]  # since the system's start
    except (OSError, IndexError):
        return None
    return f"{boot} {ticks}"


def _zombie(pid: int) -> bool:
    """A child that has ended and was not waited for; only Linux tells."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def spawn(arguments: list[str], *, log: Path, module: str = "transclipped") -> subprocess.Popen:
    """Start `python -m module …` so that it outlives this process; both its streams go to `log`."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if WINDOWS else {"start_new_session": True}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment,
            **detached,
        )


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Whether this process alone holds the lock `path` during the block; the system frees a dead process's lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            if WINDOWS:
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True  # closing the file lets it go


def end_process(pid: int) -> None:
    """End a process at once, without asking it."""
    if WINDOWS:
        subprocess.run(["taskkill", "/F", "/PID", str(pid)], capture_output=True)
        return
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def on_stop_signals(handler: Callable[[int], None]) -> None:
    """Call `handler(number)` on SIGINT and SIGTERM instead of dying."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: handler(number))


def memory() -> tuple[int | None, int | None]:
    """Bytes of memory in all, and of it free for programs; None where the system does not tell."""
    if WINDOWS:
        return _windows_memory()
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return tuple(int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        pass
    try:  # macOS tells the whole alone
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), None
    except (OSError, ValueError):
        return None, None


def has_route() -> bool:
    """Whether the system knows a way to other networks. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # an address that is reserved for documentation
        except OSError:
            return False
    return True


def _windows_memory() -> tuple[int | None, int | None]:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")
        ]

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return status.total, status.free
