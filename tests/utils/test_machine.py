"""Processes and their numbers, locks, and disks without them."""

import errno
import os
import signal
import subprocess
import sys
import threading
import warnings

import pytest

from transclipped.errors import InputError
from transclipped.utils import machine
from transclipped.utils.machine import end_process, exclusive, host, memory, process_alive, process_start, stop_signals


def test_only_processes_that_live_count():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = process_start(child.pid)
    assert process_alive(child.pid) and process_alive(child.pid, started)
    end_process(child.pid)
    while child.poll() is None:
        pass
    assert not process_alive(child.pid)
    end_process(child.pid)  # gone already
    for pid in (0, -1, True, None, "1", 2**22, 10**400):
        assert not process_alive(pid)
    assert process_alive(os.getpid(), process_start(os.getpid()))
    assert not process_alive(os.getpid(), "another boot 1") or process_start(os.getpid()) is None


def test_a_child_that_ended_unobserved_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()  # it has ended, or is about to
    for _ in range(100_000):
        if not process_alive(child.pid):
            break
    assert not process_alive(child.pid) and child.returncode is None
    child.wait()


def test_a_machine_has_one_name_and_a_size():
    assert host() == host() and len(host()) == 6
    total, free = memory()
    assert 0 < free <= total


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_used_with_a_warning(code, tmp_path, monkeypatch):
    def refuse(*a, **k):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(machine.FileLock, "acquire", refuse)
    with pytest.warns(UserWarning, match="disk without locks"), exclusive(tmp_path / "lock") as mine:
        assert mine


def test_a_folder_that_cannot_be_written_is_no_disk_without_locks(tmp_path, monkeypatch):
    def refuse(*a, **k):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(machine.FileLock, "acquire", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=f"cannot write {tmp_path}"), exclusive(tmp_path / "lock"):
            pass


def test_stop_signals_are_told_during_the_block_alone():
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as asked:
        assert asked() is None
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert asked() == signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_hears_of_no_signal():
    answers = []

    def work():
        with stop_signals() as asked:
            answers.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [None]
