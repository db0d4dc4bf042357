"""The queue of trainings: order, one at a time, cancelling, and whatever may die."""

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
    """A folder of runs whose queue nobody empties but the test."""
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


def names(home: Path) -> list[str]:
    return [w.name for w in queue.waiting(home)]


def test_trainings_are_done_in_the_order_of_the_presses_one_at_a_time(home):
    for name in ("c", "a", "b"):
        jobs.start(RunConfig(seed=7), name)
    assert names(home) == ["c", "a", "b"]
    assert [jobs.place(name) for name in ("c", "a", "b", "gone")] == [0, 1, 2, None]
    queue.work(home, train=quick)
    assert order(home) == ["+c --seed 7", "-c", "+a --seed 7", "-a", "+b --seed 7", "-b"]
    assert not names(home) and queue.training(home) is None
    assert all(RunDir(home / name).status()["state"] == "finished" for name in "abc")


def test_thirty_at_once_get_a_name_and_a_place_each(home):
    with ThreadPoolExecutor(30) as pool:
        given = list(pool.map(lambda _: jobs.start_next(RunConfig(), "mine"), range(30)))
    assert sorted(given) == sorted(["mine", *(f"mine-{i}" for i in range(2, 31))])
    assert sorted(names(home)) == sorted(given)
    assert sorted(jobs.place(name) for name in given) == list(range(30))


def test_a_name_that_is_taken_is_refused_to_all_but_one(home):
    def press(_):
        try:
            return jobs.start(RunConfig(), "same").name
        except InputError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(press, range(8)))
    assert answers.count("same") == 1
    assert all("is a run same already" in a for a in answers if a != "same")


def test_the_queue_has_an_end(home, monkeypatch):
    monkeypatch.setattr(queue, "MOST", 2)
    jobs.start(RunConfig(), "a")
    jobs.start(RunConfig(), "b")
    with pytest.raises(InputError, match="2 trainings wait already"):
        jobs.start(RunConfig(), "c")


def test_a_cancelled_training_never_begins_and_its_name_is_free(home):
    for name in ("a", "b"):
        jobs.start(RunConfig(), name)
    jobs.cancel("a")
    with pytest.raises(InputError, match="not in the queue"):
        jobs.cancel("a")
    queue.work(home, train=quick)
    assert [line for line in order(home) if line.startswith("+")] == ["+b "]
    assert not (home / "a").exists()
    jobs.start(RunConfig(), "a")


def test_a_stopped_run_waits_for_its_turn_and_stays_if_cancelled(home):
    (home / "old").mkdir()
    (home / "old" / "config.json").write_text('{"v": 1}')
    jobs.resume(RunDir(home / "old"))
    with pytest.raises(InputError, match="already"):
        jobs.resume(RunDir(home / "old"))
    jobs.cancel("old")
    assert RunDir(home / "old").exists and not names(home)
    jobs.resume(RunDir(home / "old"))
    queue.work(home, train=quick)
    assert order(home)[0] == "+old --resume"


def test_a_training_that_dies_before_there_is_a_run_blocks_nobody_and_says_why(home):
    jobs.start(RunConfig(), "bad")
    queue.work(home, train=dying)
    assert jobs.last_words("bad") == "no torch here"
    assert not (home / "bad").exists() and queue.training(home) is None
    jobs.start(RunConfig(), "bad")
    queue.work(home, train=quick)
    assert RunDir(home / "bad").exists


def killed(path: Path, flags: list[str]) -> subprocess.Popen:
    """A training that the system ends before it has a run."""
    (path / "epochs").mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])


def test_a_training_killed_before_there_is_a_run_is_tried_again_and_not_for_ever(home):
    tries = []

    def train(path: Path, flags: list[str]) -> subprocess.Popen:
        tries.append(path.name)
        return (killed if path.name == "never" or tries.count(path.name) == 1 else quick)(path, flags)

    for name in ("second-time", "never"):
        jobs.start(RunConfig(), name)
    queue.work(home, train=train)
    assert RunDir(home / "second-time").exists and tries.count("second-time") == 2
    assert tries.count("never") == queue.TRIES and not (home / "never").exists() and not names(home)


def test_a_name_that_a_killed_start_left_is_free(home):
    (home / "a" / "epochs").mkdir(parents=True)
    (home / "a" / "config.json").touch()
    jobs.start(RunConfig(), "a")
    (home / "b").mkdir()
    with exclusive(home / "b" / "lock"), pytest.raises(InputError, match="b already"):  # it has just begun
        jobs.start(RunConfig(), "b")
    queue.work(home, train=quick)
    assert RunDir(home / "a").exists and (home / "b").exists()


def test_a_request_to_resume_outlives_a_worker_that_died_before_its_process_began(home):
    (home / "old").mkdir()
    (home / "old" / "config.json").write_text('{"v": 1}')
    jobs.resume(RunDir(home / "old"))
    entry = json.loads((home / "old" / queue.QUEUED).read_text())
    (home / queue.FOLDER).mkdir(exist_ok=True)
    os.replace(home / "old" / queue.QUEUED, home / queue.FOLDER / queue.NOW)
    (home / queue.FOLDER / queue.NOW).write_text(json.dumps(entry | {"tries": 1}))
    queue.work(home, train=quick)
    assert order(home)[0] == "+old --resume"


def test_a_worker_that_died_is_replaced_and_its_training_started_again(home):
    jobs.start(RunConfig(seed=3), "a")
    entry = json.loads((home / "a" / queue.QUEUED).read_text())
    (home / queue.FOLDER).mkdir(exist_ok=True)
    os.replace(home / "a" / queue.QUEUED, home / queue.FOLDER / queue.NOW)
    (home / queue.FOLDER / queue.NOW).write_text(json.dumps(entry | {"name": "a", "tries": 1, "pid": 4_000_000}))
    jobs.start(RunConfig(), "b")
    queue.work(home, train=quick)
    assert [line for line in order(home) if line.startswith("+")] == ["+a --seed 3", "+b "]


def test_a_training_has_the_turn_from_the_moment_it_leaves_the_queue(home):
    """Whoever watches it must not lose sight of it before its process is there."""
    jobs.start(RunConfig(), "a")
    seen = []

    def watched(path: Path, flags: list[str]) -> subprocess.Popen:
        seen.append((jobs.live("a"), queue.training(home)))
        return quick(path, flags)

    queue.work(home, train=watched)
    assert seen == [(True, "a")] and queue.training(home) is None


def test_a_training_outlives_its_worker_and_the_next_one_waits_for_it(home):
    slow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"])
    shutil.copytree(_running(home.parent / "x", slow.pid), home / "a")
    (home / queue.FOLDER).mkdir(exist_ok=True)
    now = {"name": "a", "arguments": [], "tries": 1, "pid": slow.pid}
    (home / queue.FOLDER / queue.NOW).write_text(json.dumps(now))
    jobs.start(RunConfig(), "b")
    assert jobs.busy().name == "a" and jobs.place("b") == 1
    reaper = ThreadPoolExecutor(1).submit(slow.wait)
    started = time.monotonic()
    queue.work(home, train=quick)
    assert time.monotonic() - started > 0.3 and reaper.done()
    assert order(home)[0] == "+b " and not (home / "a" / queue.QUEUED).exists()


def _running(path: Path, pid: int, *, ago: float = 0.0) -> Path:
    path.mkdir()
    (path / "config.json").write_text('{"v": 1}')
    beat = {"v": 1, "state": "running", "pid": pid, "heartbeat": time.time() - ago}
    (path / "status.json").write_text(json.dumps(beat))
    return path


def test_a_training_from_a_terminal_is_waited_for(home):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"])
    _running(home / "terminal", other.pid)
    jobs.start(RunConfig(), "mine")
    assert jobs.busy().name == "terminal" and jobs.place("mine") == 1
    reaper = ThreadPoolExecutor(1).submit(other.wait)
    queue.work(home, train=quick)
    assert reaper.done() and order(home)[0] == "+mine "


def test_a_number_that_another_process_got_after_a_crash_blocks_nobody(home):
    _running(home / "crashed", os.getpid(), ago=3600)
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


def test_a_dead_workers_lock_is_free(home):
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


def test_whoever_looks_starts_a_worker_where_there_is_none(home, monkeypatch):
    started = []
    monkeypatch.setattr(queue, "start_worker", started.append)
    assert jobs.waiting() == [] and not started
    jobs.start(RunConfig(), "a")
    assert len(started) == 1
    with exclusive(home / queue.FOLDER / queue.LOCK):
        jobs.waiting()
    assert len(started) == 1


def test_the_queue_survives_damage(home):
    jobs.start(RunConfig(), "a")
    (home / "b").mkdir()
    (home / "b" / queue.QUEUED).write_bytes(b"\x00")
    (home / queue.FOLDER).mkdir(exist_ok=True)
    (home / queue.FOLDER / queue.NOW).write_text("[]")
    assert names(home) == ["a"] and jobs.busy() is None
    queue.work(home, train=quick)
    assert order(home)[0] == "+a "


def test_waiting_time_is_the_sum_of_those_before(home):
    for name, seconds in (("a", 10.0), ("b", 20.0), ("c", None), ("d", 1.0)):
        jobs.start(RunConfig(), name, seconds=seconds)
    assert [jobs.wait_for(name, running=None) for name in "abcd"] == [0, 10, 30, None]
    assert jobs.wait_for("gone", running=None) is None


def test_a_training_that_does_not_answer_can_be_ended(home):
    hung = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    _running(home / "hung", hung.pid)
    jobs.end_now(RunDir(home / "hung"))
    assert hung.wait(10) != 0 and jobs.busy() is None
