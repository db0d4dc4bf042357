"""Atomic writes, files of dead writers, and folders with one writer."""

import errno
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from transclipped.errors import InputError
from transclipped.utils import files
from transclipped.utils.files import append_json_line, folder_size, hold, in_place, replacing, write_json, writer
from transclipped.utils.machine import host

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def new_process(monkeypatch):
    """Every folder is searched for leftover files, as in a new process."""
    monkeypatch.setattr(files, "_swept", {})


def dead_process():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def holding(folder):
    """A process that locks a folder until it is killed."""
    code = "import sys, time; from pathlib import Path; from transclipped.utils.files import hold\n"
    code += "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    return child


def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(KeyError), replacing(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise KeyError
    assert os.listdir(tmp_path) == ["a.json"] and json.loads((tmp_path / "a.json").read_text()) == 1


def test_threads_that_write_one_file_use_different_temporary_files(tmp_path):
    def write(number):
        for _ in range(30):
            write_json(tmp_path / "a.json", [number] * 1000, durable=False)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))  # raises what a thread raised
    assert len(set(json.loads((tmp_path / "a.json").read_text()))) == 1


@pytest.mark.parametrize("durable", [True, False])
def test_content_is_flushed_before_the_name_and_the_name_before_the_return(durable, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append(os.readlink(f"/proc/self/fd/{handle}")))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: calls.append("rename") or replace(a, b))
    write_json(tmp_path / "a.json", {}, durable=durable)
    assert calls[durable:] == ["rename", str(tmp_path)][: 1 + durable] and (not durable or calls[0].endswith(".tmp"))
    append_json_line(tmp_path / "a.jsonl", {})
    assert calls[-1] == str(tmp_path / "a.jsonl")


def test_the_next_writer_removes_only_files_of_dead_writers(tmp_path):
    dead, mine = dead_process(), os.getpid()
    removed = [
        f".model.safetensors.{dead}.tmp",  # of an older version
        f".model.safetensors.{host()}-{dead}-{files._start(dead)}-0.tmp",
        f".model.safetensors.{host()}-{mine}-00000000-0.tmp",  # of an earlier process with our ID
    ]
    kept = [
        f".model.safetensors.{mine}.tmp",
        f".model.safetensors.{host()}-{mine}-{files._start(mine)}-0.tmp",
        f".model.safetensors.{'0' * 6}-{dead}-{files._start(dead)}-0.tmp",  # of another machine
        "notes.tmp",
        ".hidden",
    ]
    for name in removed + kept:
        (tmp_path / name).touch()
    write_json(tmp_path / "a.json", {}, durable=False)
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "a.json"])


def test_heartbeats_do_not_list_the_folder_each_time(tmp_path, monkeypatch):
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    for _ in range(10):
        write_json(tmp_path / "status.json", {}, durable=False)
    assert len(listed) == 1


def test_a_killed_writers_file_is_removed_by_the_next_process(tmp_path):
    code = "import os, sys; from pathlib import Path; from transclipped.utils.files import replacing\n"
    code += "with replacing(Path(sys.argv[1])) as temporary: temporary.write_text('half'); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")], cwd=ROOT)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]
    write_json(tmp_path / "b.json", {})
    assert os.listdir(tmp_path) == ["b.json"]


def test_clearing_the_cache_includes_leftover_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    write_json(tmp_path / "cache" / "maps" / "a.json", {})
    (tmp_path / "cache" / "maps" / ".b.json.4000000.tmp").write_bytes(b"x" * 1000)
    assert files.clear_cache() == folder_size(tmp_path) + 1000 + 3  # "{}\n"
    assert not (tmp_path / "cache").exists()


def test_concurrent_writes_in_place_keep_the_file(tmp_path):
    path = tmp_path / "folder" / "view.f16"
    with in_place(path, 10) as one:  # created, but not written yet
        with in_place(path, 10) as other:
            other.seek(4)
            other.write(b"bb")
        one.seek(1)
        one.write(b"aa")
    with in_place(path, 10):
        pass
    assert path.read_bytes() == b"\0aa\0bb\0\0\0\0"


def test_a_disk_that_cannot_be_written_is_not_called_full(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    sentence = r"a: Read-only file system; .* make it writable"
    with pytest.raises(InputError, match=sentence), in_place(tmp_path / "a", 10):
        refused()
    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(InputError, match=sentence):
        append_json_line(tmp_path / "a", 1)


def test_a_folder_is_locked_by_one_process_until_it_dies(tmp_path):
    child = holding(tmp_path)
    try:
        assert writer(tmp_path) == f"process {child.pid}"
        with pytest.raises(InputError, match=f"process {child.pid}"), hold(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()
    assert writer(tmp_path) is None
    with hold(tmp_path), pytest.raises(InputError, match=f"process {os.getpid()}"), hold(tmp_path):
        pass
    assert writer(tmp_path) is None and (tmp_path / "lock").read_text() == ""


def test_reading_the_writer_blocks_no_trainer(tmp_path):
    (tmp_path / "lock").touch()
    ended = threading.Event()

    def poll():
        while not ended.is_set():
            writer(tmp_path)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(poll)
        try:
            for _ in range(20):
                with hold(tmp_path, wait=5.0):
                    pass
        finally:
            ended.set()


def test_a_new_folder_is_removed_if_nothing_was_written(tmp_path):
    with hold(tmp_path / "new"):
        assert writer(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with hold(tmp_path / "old"):
        pass
    assert (tmp_path / "old").exists()
    assert writer(tmp_path / "nowhere") is None and not (tmp_path / "nowhere").exists()
    with hold(tmp_path / "new"):
        np.save(tmp_path / "new" / "a.npy", np.zeros(1))
    assert sorted(os.listdir(tmp_path / "new")) == ["a.npy", "lock"]


def test_files_of_live_writers_are_kept(tmp_path):
    with replacing(tmp_path / "a.json") as temporary:
        temporary.write_text("1")
        files._swept.clear()
        write_json(tmp_path / "b.json", {})
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.json"]
