"""Devices, processes, locks, signals and memory of this machine."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
from filelock import FileLock, Timeout

from transclipped.errors import InputError

WINDOWS = os.name == "nt"
PATIENCE = 5.0  # seconds to wait for the end of a process
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)  # of some network disks
# Threads of torch and faiss in the app sleep while they wait, since visitors share the cores. By default they spin,
# which is faster if nothing else runs; trainings do that, with as many threads as training/threads.py chooses.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
ARENA_MAX = -8  # glibc's M_ARENA_MAX
_made_passive: set[str] = set()  # environment variables set by this process


def best_device() -> str:
    """ "cuda", "mps" or "cpu", the first available."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def wait_passively() -> None:
    """Let threads of torch and faiss sleep while waiting, unless set otherwise; call before importing them."""
    for name, value in PASSIVE.items():
        if name not in os.environ:
            os.environ[name] = value
            _made_passive.add(name)


def limit_memory_pools() -> None:
    """Limit glibc to two memory pools for all threads.

    By default it has up to eight per core, and memory freed in one is not available to others: it grows by 180 MB per
    minute with ten visitors.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system or C library
        ctypes.CDLL(None).mallopt(ARENA_MAX, 2)


def process_alive(pid: int, started: str | None = None) -> bool:
    """Whether a process of this machine is running; not if another one with its ID has another `process_start`."""
    if type(pid) is not int or pid < 1:
        return False
    if started is not None and (actual := process_start(pid)) is not None and actual != started:
        return False
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


def identity(pid: int) -> dict[str, Any]:
    """ "pid" and "started", which identify a process even if its ID is reused."""
    return {"pid": pid, "started": process_start(pid)}


def lives(identity: Mapping[str, Any]) -> bool:
    """Whether the process of an `identity` is running."""
    return process_alive(identity.get("pid"), identity.get("started"))


def process_start(pid: int) -> str | None:
    """Start of a process, different for a later one with the same ID; None if it has ended.

    On Linux not psutil's `create_time`, which changes when the clock is set.
    """
    if not sys.platform.startswith("linux"):
        with suppress(psutil.Error):
            return str(psutil.Process(pid).create_time())
        return None
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]  # since boot
    except (OSError, IndexError):
        return None
    return f"{boot} {ticks}"


@cache
def host() -> str:
    """6 hex digits that differ between machines, and between containers with separate process IDs."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:6]


def spawn(arguments: list[str], *, log: Path, module: str = "transclipped", passive: bool = False) -> subprocess.Popen:
    """Start `python -m module …`, which outlives this process and writes to `log`; `passive` keeps `wait_passively`."""
    unset = () if passive else _made_passive
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if WINDOWS else {"start_new_session": True}
    with log.open("ab") as file:
        command = [sys.executable, "-m", module, *arguments]
        streams = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        child = subprocess.Popen(command, env=environment, **streams, **detached)
    Thread(target=child.wait, daemon=True).start()  # reaps it when it ends
    return child


@contextmanager
def exclusive(path: Path, *, wait: float = 0.0) -> Iterator[bool]:
    """Whether this process holds the lock file `path` during the block, after waiting up to `wait` seconds.

    The system releases the lock of a dead process; the file stays. On a disk without locks the result is True, with a
    warning.

    Raises:
        InputError: the file cannot be written.
    """
    lock = FileLock(path, thread_local=False)  # any thread may close a generator
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait, poll_interval=0.02)
    except Timeout:
        yield False
        return
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise InputError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
        warnings.warn(f"{path.parent} is on a disk without locks; let only one process write there", stacklevel=3)
    try:
        yield True
    finally:
        lock.release()


def end_process(pid: int) -> None:
    """Kill a process; returns when it has ended, or after `PATIENCE` seconds."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        psutil.Process(pid).kill()
        deadline = time.monotonic() + PATIENCE
        while process_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)


def on_stop_signals(handler: Callable[[int], None]) -> None:
    """Call `handler(number)` on SIGINT and SIGTERM instead of ending."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: handler(number))


@contextmanager
def stop_signals() -> Iterator[Callable[[], int | None]]:
    """Catch SIGINT and SIGTERM during the block; the function returns the first one received, or None.

    It always returns None outside the main thread, which alone receives signals.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    on_stop_signals(received.append)
    try:
        yield lambda: received[0] if received else None
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def memory() -> tuple[int, int]:
    """Bytes of memory: total, and available to programs."""
    result = psutil.virtual_memory()
    return result.total, result.available


def has_route() -> bool:
    """Whether there is a route to other networks. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # reserved for documentation
        except OSError:
            return False
    return True
