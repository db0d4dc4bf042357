"""Processes and their IDs, locks, and disks without them."""

import errno
import os
import signal
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from transclipped.errors import InputError
from transclipped.utils import machine
from transclipped.utils.machine import end_process, exclusive, host, memory, process_alive, process_start, stop_signals


def test_process_alive():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = process_start(child.pid)
    assert process_alive(child.pid) and process_alive(child.pid, started)
    end_process(child.pid)
    while child.poll() is None:
        pass
    assert not process_alive(child.pid)
    end_process(child.pid)  # already ended
    for pid in (0, -1, True, None, "1", 2**22, 10**400):
        assert not process_alive(pid)
    assert process_alive(os.getpid(), process_start(os.getpid()))
    assert not process_alive(os.getpid(), "another boot 1") or process_start(os.getpid()) is None


def test_a_zombie_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()  # ends about now
    for _ in range(100_000):
        if not process_alive(child.pid):
            break
    assert not process_alive(child.pid) and child.returncode is None
    child.wait()


def test_host_and_memory():
    assert host() == host() and len(host()) == 6
    total, free = memory()
    assert 0 < free <= total


def refuse_locks(monkeypatch, code):
    def refuse(*args, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(machine.FileLock, "acquire", refuse)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_used_with_a_warning(code, tmp_path, monkeypatch):
    refuse_locks(monkeypatch, code)
    with pytest.warns(UserWarning, match="disk without locks"), exclusive(tmp_path / "lock") as mine:
        assert mine


def test_a_read_only_disk_is_an_error(tmp_path, monkeypatch):
    refuse_locks(monkeypatch, errno.EROFS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=f"cannot write {tmp_path}"), exclusive(tmp_path / "lock"):
            pass


def test_stop_signals_are_caught_during_the_block():
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as received:
        assert received() is None
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert received() == signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_receives_no_signal():
    def work():
        with stop_signals() as received:
            return received()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() is None
