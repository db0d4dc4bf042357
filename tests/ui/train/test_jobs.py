"""The queue of trainings: order, one at a time, cancelling, and crashes of any part."""

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.training import queue
from transclipped.ui import runs
from transclipped.ui.train import jobs
from transclipped.utils.machine import end_process, exclusive

LOG = "order.txt"
RUN = """
import json, os, sys, time
from pathlib import Path
path = Path(sys.argv[1])
log = path.parent / "order.txt"
log.open("a").write(f"+{path.name} {' '.join(sys.argv[2:])}\\n")
beat = {"v": 1, "state": "running", "pid": os.getpid(), "heartbeat": time.time()}
(path / "config.json").write_text('{"v": 1}')
(path / "status.json").write_text(json.dumps(beat))
time.sleep(0.1)
(path / "status.json").write_text(json.dumps(beat | {"state": "finished"}))
log.open("a").write(f"-{path.name}\\n")
"""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A folder of runs whose queue only the test empties."""
    (tmp_path / "runs").mkdir()
    monkeypatch.setenv("TRANSCLIPPED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(runs, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr(queue, "start_worker", lambda home: None)
    monkeypatch.setattr(queue, "TICK", 0.02)
    return tmp_path / "runs"


def quick(path: Path, flags: list[str]) -> subprocess.Popen:
    """A training of a tenth of a second."""
    return subprocess.Popen([sys.executable, "-c", RUN, str(path), *flags])


def dying(path: Path, flags: list[str]) -> subprocess.Popen:
    (path / "log.txt").write_text("transclipped: no torch here\n")
    return subprocess.Popen([sys.executable, "-c", "raise SystemExit(2)"])


def order(home: Path) -> list[str]:
    return (home / LOG).read_text().split("\n")[:-1]


def started(home: Path) -> list[str]:
    return [line for line in order(home) if line.startswith("+")]


def names(home: Path) -> list[str]:
    return [entry.name for entry in queue.waiting(home)]


def old_run(home: Path) -> RunDir:
    (home / "old").mkdir()
    (home / "old" / "config.json").write_text('{"v": 1}')
    return RunDir(home / "old")


def set_now(home: Path, entry: dict) -> None:
    """Make an entry the one that a worker has taken from the queue."""
    (home / queue.FOLDER).mkdir(exist_ok=True)
    (home / entry["name"] / queue.QUEUED).unlink(missing_ok=True)
    (home / queue.FOLDER / queue.NOW).write_text(json.dumps(entry))


def running(path: Path, pid: int, *, ago: float = 0.0) -> Path:
    path.mkdir()
    (path / "config.json").write_text('{"v": 1}')
    beat = {"v": 1, "state": "running", "pid": pid, "heartbeat": time.time() - ago}
    (path / "status.json").write_text(json.dumps(beat))
    return path


def sleeping(seconds: float) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])


def test_trainings_run_in_the_order_of_the_presses_one_at_a_time(home):
    for name in ("c", "a", "b"):
        jobs.start(RunConfig(seed=7), name)
    assert names(home) == ["c", "a", "b"]
    assert [jobs.position(name) for name in ("c", "a", "b", "gone")] == [0, 1, 2, None]
    queue.work(home, train=quick)
    assert order(home) == ["+c --seed 7", "-c", "+a --seed 7", "-a", "+b --seed 7", "-b"]
    assert not names(home) and queue.training(home) is None
    assert all(RunDir(home / name).status()["state"] == "finished" for name in "abc")


def test_thirty_at_once_get_a_name_and_a_position_each(home):
    with ThreadPoolExecutor(30) as pool:
        given = list(pool.map(lambda _: jobs.start_next(RunConfig(), "mine"), range(30)))
    assert sorted(given) == sorted(["mine", *(f"mine-{i}" for i in range(2, 31))])
    assert sorted(names(home)) == sorted(given)
    assert sorted(jobs.position(name) for name in given) == list(range(30))


def test_only_one_of_several_presses_gets_the_same_name(home):
    def press(_):
        try:
            return jobs.start(RunConfig(), "same").name
        except InputError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(press, range(8)))
    assert results.count("same") == 1
    assert all("run same already" in result for result in results if result != "same")


def test_the_queue_is_bounded(home, monkeypatch):
    monkeypatch.setattr(queue, "MOST", 2)
    jobs.start(RunConfig(), "a")
    jobs.start(RunConfig(), "b")
    with pytest.raises(InputError, match="2 training runs"):
        jobs.start(RunConfig(), "c")


def test_a_cancelled_training_never_starts_and_its_name_is_free(home):
    for name in ("a", "b"):
        jobs.start(RunConfig(), name)
    jobs.cancel("a")
    with pytest.raises(InputError, match="not in the queue"):
        jobs.cancel("a")
    queue.work(home, train=quick)
    assert started(home) == ["+b "] and not (home / "a").exists()
    jobs.start(RunConfig(), "a")


def test_a_resumed_run_is_queued_once_and_stays_if_cancelled(home):
    old = old_run(home)
    jobs.resume(old)
    with pytest.raises(InputError):
        jobs.resume(old)
    jobs.cancel("old")
    assert old.exists and not names(home)
    jobs.resume(old)
    queue.work(home, train=quick)
    assert order(home)[0] == "+old --resume"


def test_a_training_that_dies_before_it_makes_a_run_gives_its_reason_and_frees_its_name(home):
    jobs.start(RunConfig(), "bad")
    queue.work(home, train=dying)
    assert jobs.last_words("bad") == "no torch here"
    assert not (home / "bad").exists() and queue.training(home) is None
    jobs.start(RunConfig(), "bad")
    queue.work(home, train=quick)
    assert RunDir(home / "bad").exists


def killed(path: Path, flags: list[str]) -> subprocess.Popen:
    """A training killed by the system before it makes a run."""
    (path / "epochs").mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])


def test_a_training_killed_before_it_makes_a_run_is_retried_a_few_times(home):
    tries = []

    def train(path: Path, flags: list[str]) -> subprocess.Popen:
        tries.append(path.name)
        return (killed if path.name == "never" or tries.count(path.name) == 1 else quick)(path, flags)

    for name in ("second-time", "never"):
        jobs.start(RunConfig(), name)
    queue.work(home, train=train)
    assert RunDir(home / "second-time").exists and tries.count("second-time") == 2
    assert tries.count("never") == queue.TRIES and not (home / "never").exists() and not names(home)


def test_the_name_of_a_killed_start_is_free(home):
    (home / "a" / "epochs").mkdir(parents=True)
    (home / "a" / "config.json").touch()
    jobs.start(RunConfig(), "a")
    (home / "b").mkdir()
    with exclusive(home / "b" / "lock"), pytest.raises(InputError, match="b already"):  # it has just started
        jobs.start(RunConfig(), "b")
    queue.work(home, train=quick)
    assert RunDir(home / "a").exists and (home / "b").exists()


def test_a_dead_worker_is_replaced_and_its_training_started_again(home):
    jobs.start(RunConfig(seed=3), "a")
    entry = json.loads((home / "a" / queue.QUEUED).read_text())
    set_now(home, entry | {"name": "a", "tries": 1, "pid": 4_000_000})
    jobs.start(RunConfig(), "b")
    queue.work(home, train=quick)
    assert started(home) == ["+a --seed 3", "+b "]
    jobs.resume(old_run(home))  # the worker dies before it starts the process
    set_now(home, json.loads((home / "old" / queue.QUEUED).read_text()) | {"name": "old", "tries": 1})
    queue.work(home, train=quick)
    assert started(home)[2:] == ["+old --resume"]


def test_a_training_is_live_from_the_moment_it_leaves_the_queue(home):
    """A page that watches it must not lose it before its process exists."""
    jobs.start(RunConfig(), "a")
    states = []

    def train(path: Path, flags: list[str]) -> subprocess.Popen:
        states.append((jobs.live("a"), queue.training(home)))
        return quick(path, flags)

    queue.work(home, train=train)
    assert states == [(True, "a")] and queue.training(home) is None


def test_a_training_outlives_its_worker_and_the_next_one_waits_for_it(home):
    slow = sleeping(1)
    shutil.copytree(running(home.parent / "x", slow.pid), home / "a")
    set_now(home, {"name": "a", "arguments": [], "tries": 1, "pid": slow.pid})
    jobs.start(RunConfig(), "b")
    assert jobs.busy().name == "a" and jobs.position("b") == 1
    reaper = ThreadPoolExecutor(1).submit(slow.wait)
    begin = time.monotonic()
    queue.work(home, train=quick)
    assert time.monotonic() - begin > 0.3 and reaper.done()
    assert order(home)[0] == "+b " and not (home / "a" / queue.QUEUED).exists()


def test_the_queue_waits_for_a_training_from_a_terminal(home):
    other = sleeping(0.5)
    running(home / "terminal", other.pid)
    jobs.start(RunConfig(), "mine")
    assert jobs.busy().name == "terminal" and jobs.position("mine") == 1
    reaper = ThreadPoolExecutor(1).submit(other.wait)
    queue.work(home, train=quick)
    assert reaper.done() and order(home)[0] == "+mine "


def test_a_process_id_reused_after_a_crash_does_not_block_the_queue(home):
    running(home / "crashed", os.getpid(), ago=3600)
    jobs.start(RunConfig(), "mine")
    assert jobs.busy() is None
    queue.work(home, train=quick)
    assert order(home)[0] == "+mine "


def test_only_one_worker_works(home):
    jobs.start(RunConfig(), "a")
    with exclusive(home / queue.FOLDER / queue.LOCK) as mine:
        assert mine
        queue.work(home, train=quick)  # returns at once
    assert names(home) == ["a"]


def test_the_lock_of_a_dead_worker_is_free(home):
    code = (
        "import sys, time; from pathlib import Path; from transclipped.utils.machine import exclusive\n"
        "with exclusive(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    lock = home / queue.FOLDER / queue.LOCK
    worker = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True)
    assert worker.stdout.readline() == "held\n"
    with exclusive(lock) as mine:
        assert not mine
    end_process(worker.pid)
    worker.wait()
    with exclusive(lock) as mine:
        assert mine


def test_looking_at_the_queue_starts_a_missing_worker(home, monkeypatch):
    workers = []
    monkeypatch.setattr(queue, "start_worker", workers.append)
    assert jobs.waiting() == [] and not workers
    jobs.start(RunConfig(), "a")
    assert len(workers) == 1
    with exclusive(home / queue.FOLDER / queue.LOCK):
        jobs.waiting()
    assert len(workers) == 1


def test_the_queue_survives_damaged_files(home):
    jobs.start(RunConfig(), "a")
    (home / "b").mkdir()
    (home / "b" / queue.QUEUED).write_bytes(b"\x00")
    (home / queue.FOLDER).mkdir(exist_ok=True)
    (home / queue.FOLDER / queue.NOW).write_text("[]")
    assert names(home) == ["a"] and jobs.busy() is None
    queue.work(home, train=quick)
    assert order(home)[0] == "+a "


def test_waiting_time_is_the_sum_of_the_trainings_ahead(home):
    for name, seconds in (("a", 10.0), ("b", 20.0), ("c", None), ("d", 1.0)):
        jobs.start(RunConfig(), name, seconds=seconds)
    assert [jobs.wait_for(name, running=None) for name in "abcd"] == [0, 10, 30, None]
    assert jobs.wait_for("gone", running=None) is None


def test_a_hung_training_can_be_killed(home):
    hung = sleeping(60)
    running(home / "hung", hung.pid)
    jobs.end_now(RunDir(home / "hung"))
    assert hung.wait(10) != 0 and jobs.busy() is None
