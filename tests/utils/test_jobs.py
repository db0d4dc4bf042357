"""A child process and its folder: all ways to end, other observers, damaged files."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from transclipped.errors import InputError
from transclipped.utils import jobs, machine
from transclipped.utils.files import write_json
from transclipped.utils.jobs import FAILED, FINISHED, INTERRUPTED, JOB, LOG, PROGRESS, RUNNING, STOPPED, Job, starting
from transclipped.utils.machine import exclusive, identity, process_alive

PATIENCE = 60  # seconds, for slow machines


@pytest.fixture
def job(tmp_path) -> Job:
    return Job(tmp_path / "job")


def ended(job: Job) -> dict:
    """Status after the end of the process."""
    deadline = time.monotonic() + PATIENCE
    while (status := job.status())["state"] == RUNNING and time.monotonic() < deadline:
        time.sleep(0.02)
    return status


def written(job: Job, *, log: str | None = None, progress: object = None, **spec) -> Job:
    """A job with given files."""
    write_json(job.folder / JOB, spec)
    if progress is not None:
        (job.folder / PROGRESS).write_text(json.dumps(progress))
    if log is not None:
        (job.folder / LOG).write_text(log)
    return job


def test_status_before_the_start(job):
    assert job.status() == {} and not job.running and job.last_words() == ""
    job.cancel()
    assert not job.folder.exists()


def test_a_failed_command_has_its_message_and_its_spec(job):
    job.start(["evaluate", "--run", "/there is no run"], {"name": "x"})
    status = ended(job)
    assert (status["state"], status["name"], status["stopped"]) == (INTERRUPTED, "x", False)
    assert "/there is no run" in status["error"] and not status["error"].startswith("transclipped")


def test_a_started_process_runs_until_it_is_killed(job, children):
    job.start(["x"])
    assert job.running and job.status()["pid"] == children[0].pid
    assert Job(job.folder).running  # from another page or server
    children[0].end()
    assert job.status()["state"] == INTERRUPTED


def test_a_cancelled_process_is_killed_and_stopped(job, children):
    job.start(["x"])
    job.cancel()
    assert not process_alive(children[0].pid) and job.status()["state"] == STOPPED
    job.cancel()
    job.start(["x"])
    assert job.status()["state"] == RUNNING


def test_files_of_an_earlier_process_are_removed(job, children):
    written(job, progress={"state": FAILED, "error": "e"}, log="transclipped: e\n", pid=-1)
    assert job.status()["error"] == "e"
    job.start(["x"])
    assert job.status()["state"] == RUNNING and job.status()["error"] == "" and job.last_words() == ""


def test_the_progress_file_suffices_if_the_parent_died_early(job):
    written(job, progress={"state": RUNNING, "done": 1, **identity(os.getpid())}, folder="/f")
    assert job.running and job.status()["done"] == 1


def test_a_process_with_a_reused_id_is_not_the_job(job, children):
    Job(job.folder.with_name("other")).start(["x"])
    pid = children[0].pid
    written(job, pid=pid, started="another boot 1")
    assert job.status()["state"] == INTERRUPTED
    job.cancel()
    assert children[0].poll() is None and process_alive(pid)
    written(job, progress={"state": RUNNING, "pid": pid, "started": "another boot 1"}, **identity(pid))
    assert job.status()["state"] == INTERRUPTED  # its progress file takes precedence


@pytest.mark.parametrize("name", [JOB, PROGRESS])
@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\xff", '{"done": "many", "state": "finished"}'])
def test_a_damaged_file_counts_as_missing(job, name, text):
    written(job, pid=-1)
    (job.folder / name).write_text(text, encoding="latin-1")
    whole = name == PROGRESS or "done" in text  # job.json is an object
    assert job.status().get("state") == (INTERRUPTED if whole else None) and not job.running


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("transclipped: a\ntransclipped: b\nencoding: 40%|####  | 4/10\r", "b"),
        ("Traceback …\nModuleNotFoundError: No module named 'timm'\n", "No module named 'timm'"),
        ("  File: x\ntorch.OutOfMemoryError: 8 GB\n\n", "torch.OutOfMemoryError: 8 GB"),
        ("UserWarning: slow\nencoding: 3 of 8\n", ""),
        ("", ""),
    ],
)
def test_last_words_are_a_message_not_a_progress_bar(job, log, words):
    assert words in written(job, log=log).last_words()
    assert bool(words) == bool(job.last_words())


def test_simultaneous_starts_start_one(tmp_path, children):
    def start(number):
        job = Job(tmp_path / "job")
        with starting(tmp_path / "lock"):
            if not job.running:
                job.start([str(number)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))
    assert len(children) == 1


def test_waiting_for_a_lock_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 0.05)
    with exclusive(tmp_path / "lock"), pytest.raises(InputError, match="try again"), starting(tmp_path / "lock"):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=str(tmp_path / "file")):
        Job(tmp_path / "file" / "job").start(["x"])


@pytest.mark.parametrize("passive", [False, True])
def test_a_child_waits_passively_only_on_request(tmp_path, monkeypatch, passive):
    monkeypatch.setattr(machine, "_made_passive", {"OMP_WAIT_POLICY"})
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")  # set by the user: inherited
    code = "import os; print(os.environ.get('OMP_WAIT_POLICY'), os.environ['GOMP_SPINCOUNT'])"
    (tmp_path / "shows.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    child = machine.spawn([], log=Path("log.txt"), module="shows", passive=passive)
    assert child.wait(PATIENCE) == 0
    assert Path("log.txt").read_text().split() == (["PASSIVE", "7"] if passive else ["None", "7"])


def test_an_ended_child_is_reaped_without_waiting(tmp_path):
    child = machine.spawn(["--version"], log=tmp_path / "log.txt")
    deadline = time.monotonic() + PATIENCE
    while child.returncode is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert child.returncode is not None


@pytest.mark.parametrize("state", [FINISHED, FAILED])
def test_the_end_in_the_progress_file_is_final(job, state):
    assert written(job, progress={"state": state, "pid": -1}, pid=-1).status()["state"] == state
    stopped = written(job, progress={"state": state, "pid": -1}, pid=-1, stopped=True)
    assert stopped.status()["state"] == (FINISHED if state == FINISHED else STOPPED)
