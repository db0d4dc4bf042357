"""Files that are whole or not there, what dead writers leave, and folders with one writer."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from transclipped.errors import InputError
from transclipped.utils import files
from transclipped.utils.files import (
    append_json_line,
    clear_cache,
    folder_size,
    hold,
    in_place,
    replacing,
    write_json,
    writer,
)
from transclipped.utils.machine import host

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def look_again(monkeypatch):
    """Every folder is looked through for leftovers, as in a new process."""
    monkeypatch.setattr(files, "_swept", {})


def dead_process():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def holding(folder):
    """A process that holds a folder until it is killed."""
    code = "import sys, time; from pathlib import Path; from transclipped.utils.files import hold\n"
    code += "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    return child


# replacing


def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(KeyError), replacing(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise KeyError
    assert os.listdir(tmp_path) == ["a.json"] and json.loads((tmp_path / "a.json").read_text()) == 1


def test_threads_that_write_one_file_do_not_share_a_temporary_one(tmp_path):
    failures = []

    def write(number):
        try:
            for _ in range(30):
                write_json(tmp_path / "a.json", [number] * 1000, durable=False)
        except InputError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(set(json.loads((tmp_path / "a.json").read_text()))) == 1


@pytest.mark.parametrize("durable", [True, False])
def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_return(durable, tmp_path, monkeypatch):
    acts = []
    monkeypatch.setattr(os, "fsync", lambda handle: acts.append(os.readlink(f"/proc/self/fd/{handle}")))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: acts.append("rename") or replace(a, b))
    write_json(tmp_path / "a.json", {}, durable=durable)
    if durable:
        assert acts[0].endswith(".tmp") and acts[1:] == ["rename", str(tmp_path)]
    else:
        assert acts == ["rename"]
    append_json_line(tmp_path / "a.jsonl", {})
    assert acts[-1] == str(tmp_path / "a.jsonl")


def test_the_next_writer_removes_what_dead_writers_left_and_nothing_else(tmp_path):
    dead, mine = dead_process(), os.getpid()
    gone = [
        f".model.safetensors.{dead}.tmp",  # of an older version
        f".model.safetensors.{host()}-{dead}-{files._start(dead)}-0.tmp",
        f".model.safetensors.{host()}-{mine}-00000000-0.tmp",  # of an earlier process with our number
    ]
    stays = [
        f".model.safetensors.{mine}.tmp",
        f".model.safetensors.{host()}-{mine}-{files._start(mine)}-0.tmp",
        f".model.safetensors.{'0' * 6}-{dead}-{files._start(dead)}-0.tmp",  # of another machine, which may live there
        "notes.tmp",
        ".hidden",
    ]
    for name in gone + stays:
        (tmp_path / name).touch()
    write_json(tmp_path / "a.json", {}, durable=False)
    assert sorted(os.listdir(tmp_path)) == sorted([*stays, "a.json"])


def test_heartbeats_do_not_list_the_folder_each_time(tmp_path, monkeypatch):
    looks = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looks.append(path) or scandir(path))
    for _ in range(10):
        write_json(tmp_path / "status.json", {}, durable=False)
    assert len(looks) == 1


def test_a_killed_writers_file_is_removed_by_the_next_process(tmp_path):
    code = "import os, sys; from pathlib import Path; from transclipped.utils.files import replacing\n"
    code += "with replacing(Path(sys.argv[1])) as temporary: temporary.write_text('half'); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")], cwd=ROOT)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]
    write_json(tmp_path / "b.json", {})
    assert os.listdir(tmp_path) == ["b.json"]


def test_clearing_the_cache_takes_leftovers_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    write_json(tmp_path / "cache" / "maps" / "a.json", {})
    (tmp_path / "cache" / "maps" / ".b.json.4000000.tmp").write_bytes(b"x" * 1000)
    assert clear_cache() == folder_size(tmp_path) + 1000 + 3  # "{}" and a line's end
    assert not (tmp_path / "cache").exists()


# in place


def test_parts_written_by_several_never_empty_the_file(tmp_path):
    path = tmp_path / "folder" / "view.f16"
    with in_place(path, 10) as one:  # created, and the other comes before anything is written
        with in_place(path, 10) as other:
            other.seek(4)
            other.write(b"bb")
        one.seek(1)
        one.write(b"aa")
    with in_place(path, 10):
        pass
    assert path.read_bytes() == b"\0aa\0bb\0\0\0\0"


# one writer


def test_a_folder_is_held_by_one_process_and_freed_when_it_dies(tmp_path):
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


def test_asking_for_the_writer_keeps_no_trainer_out(tmp_path):
    (tmp_path / "lock").touch()
    ended = threading.Event()

    def look():
        while not ended.is_set():
            writer(tmp_path)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(20):
            with hold(tmp_path, wait=5.0):
                pass
    finally:
        ended.set()
        thread.join()


def test_a_hold_leaves_no_folder_in_which_nothing_was_written(tmp_path):
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


def test_a_live_writer_outlives_a_sweep(tmp_path):
    with replacing(tmp_path / "a.json") as temporary:
        temporary.write_text("1")
        time.sleep(0)
        files._swept.clear()
        write_json(tmp_path / "b.json", {})
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.json"]
