"""What differs between machines: devices, processes, signals."""

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
PATIENCE = 5.0  # seconds that the system gets to end a process
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)  # of some network disks
# How the app's threads of torch and faiss wait for each other: asleep, since visitors share the cores. By default they
# spin, which is faster where nothing else runs; trainings do so and choose how many they are, see training/threads.py.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
ARENA_MAX = -8  # glibc's M_ARENA_MAX
_made_passive: set[str] = set()  # environment variables that this process has set for itself


def best_device() -> str:
    """ "cuda", "mps" or "cpu", the first that is there."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def wait_passively() -> None:
    """Let the threads of torch and faiss wait asleep; only before either is loaded, and unless the user chose."""
    for name, value in PASSIVE.items():
        if name not in os.environ:
            os.environ[name] = value
            _made_passive.add(name)


def share_freed_memory() -> None:
    """Let all threads of this process take memory from two pools, where the C library is glibc.

    By default each thread gets a pool of its own, up to eight a core, and what a visitor's thread has freed there is of
    no use to the others: memory grows by 180 MB a minute while ten visitors look around.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system, or another C library
        ctypes.CDLL(None).mallopt(ARENA_MAX, 2)


def process_alive(pid: int, started: str | None = None) -> bool:
    """Whether a process of this machine still runs; no process has a number below 1.

    Args:
        started: its `process_start`; a later process with the same number does not count then.
    """
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
    """What tells a process from any later one of its number: "pid" and "started"."""
    return {"pid": pid, "started": process_start(pid)}


def lives(identity: Mapping[str, Any]) -> bool:
    """Whether the process of a record with its `identity` still runs."""
    return process_alive(identity.get("pid"), identity.get("started"))


def process_start(pid: int) -> str | None:
    """Start of a process, different for any later one with its number; None if it is gone.

    On Linux psutil's `create_time` would move whenever the clock is set.
    """
    if not sys.platform.startswith("linux"):
        with suppress(psutil.Error):
            return str(psutil.Process(pid).create_time())
        return None
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]  # since the system's start
    except (OSError, IndexError):
        return None
    return f"{boot} {ticks}"


@cache
def host() -> str:
    """6 hex digits that differ between machines, and between containers that count processes on their own."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:6]


def spawn(arguments: list[str], *, log: Path, module: str = "transclipped", passive: bool = False) -> subprocess.Popen:
    """Start `python -m module …` so that it outlives this process; both its streams go to `log`.

    Args:
        passive: whether its threads wait asleep, too, where this process has chosen that for its own.
    """
    unset = () if passive else _made_passive
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if WINDOWS else {"start_new_session": True}
    with log.open("ab") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment,
            **detached,
        )
    Thread(target=child.wait, daemon=True).start()  # reaps it when it ends
    return child


@contextmanager
def exclusive(path: Path, *, wait: float = 0.0) -> Iterator[bool]:
    """Whether this process alone holds the lock file `path` during the block; a dead process holds none.

    The file stays. On a disk without locks the answer is True, with a warning.

    Args:
        wait: seconds to wait for another holder.

    Raises:
        InputError: the file cannot be written.
    """
    lock = FileLock(path, thread_local=False)  # released by whichever thread closes a generator
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait, poll_interval=0.02)
    except Timeout:
        yield False
        return
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise InputError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
        warnings.warn(f"{path.parent} is on a disk without locks; let no second process write there", stacklevel=3)
    try:
        yield True
    finally:
        lock.release()


def end_process(pid: int) -> None:
    """End a process at once, without a chance to save; returns when it is gone, or does not go."""
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        psutil.Process(pid).kill()
        deadline = time.monotonic() + PATIENCE
        while process_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)


def on_stop_signals(handler: Callable[[int], None]) -> None:
    """Call `handler(number)` on SIGINT and SIGTERM instead of dying."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, frame: handler(number))


@contextmanager
def stop_signals() -> Iterator[Callable[[], int | None]]:
    """A function that tells which of SIGINT and SIGTERM has come during the block, None if none; nobody dies of them.

    In a thread other than the main one, which gets no signals, it always answers None.
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
    """Bytes of memory in all, and of it free for programs."""
    found = psutil.virtual_memory()
    return found.total, found.available


def has_route() -> bool:
    """Whether the system knows a way to other networks. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # an address that is reserved for documentation
        except OSError:
            return False
    return True
