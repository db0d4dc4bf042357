"""The queue of sweeps: one at a time, first in, first out, and the same sweep only once."""

import json
import time

import pytest

from transclipped.cli import _parser
from transclipped.experiments.lab.sweep import RESULTS, STATE, STOP, Sweep
from transclipped.ui.clipping import sweep_jobs
from transclipped.utils.jobs import Job

FIRST, SECOND, THIRD = Sweep(seed=1), Sweep(seed=2), Sweep(seed=3)


@pytest.fixture(autouse=True)
def queue(home, children):
    """An empty folder of runs, with stub processes."""


def test_sweeps_run_in_the_order_in_which_they_were_started(children):
    for sweep in (FIRST, SECOND, THIRD):
        sweep_jobs.ask(sweep)
    assert len(children) == 1
    assert sweep_jobs.state(FIRST)["state"] == "running"
    assert [sweep_jobs.state(s)["ahead"] for s in (SECOND, THIRD)] == [1, 2]
    children[0].end()
    sweep_jobs.advance()
    assert "--seed 2" in " ".join(children[1].arguments)
    assert sweep_jobs.state(THIRD) == {"state": "waiting", "ahead": 1}


def test_thirty_visitors_who_start_the_same_sweep_share_one(children):
    for _ in range(30):
        sweep_jobs.ask(FIRST)
    assert len(children) == 1
    for _ in range(30):
        sweep_jobs.ask(SECOND)
    children[0].end()
    sweep_jobs.advance()
    children[1].end()
    sweep_jobs.advance()
    assert len(children) == 2


def test_cancel_removes_a_waiting_sweep_and_stops_a_running_one(children):
    sweep_jobs.ask(FIRST)
    sweep_jobs.ask(SECOND)
    sweep_jobs.cancel(SECOND)
    assert sweep_jobs.state(SECOND)["state"] == "new"
    sweep_jobs.cancel(FIRST)
    assert (sweep_jobs.folder(FIRST) / STOP).exists()


def test_again_deletes_the_results_and_a_failed_process_reports_its_error(children):
    path = sweep_jobs.folder(FIRST)
    path.mkdir(parents=True)
    (path / RESULTS).write_text(json.dumps({"rule": "none", "amount": None, "map": 0.5}))
    sweep_jobs.ask(FIRST, again=True)
    assert not (path / RESULTS).exists()
    (path / "log.txt").write_text("transclipped: the lab set is missing")
    children[0].end()
    assert sweep_jobs.state(FIRST) == {"state": "failed", "error": "the lab set is missing"}


def test_a_sweep_whose_process_was_killed_is_interrupted(children):
    sweep_jobs.ask(FIRST)
    (sweep_jobs.folder(FIRST) / STATE).write_text(json.dumps({"state": "running", "t": time.time(), "done": 1}))
    assert sweep_jobs.state(FIRST)["state"] == "running"
    children[0].end()
    assert sweep_jobs.state(FIRST)["state"] == "interrupted"


def test_settings_reach_the_command(children):
    sweep_jobs.ask(Sweep(rule="rank", amounts=(0.1, 0.05), temperature=0.2, treatment="clamp", seed=4))
    arguments = _parser().parse_args(children[0].arguments)
    assert (arguments.rule, arguments.amounts, arguments.temperature) == ("rank", "0.1,0.05", 0.2)
    assert (arguments.treatment, arguments.seed) == ("clamp", 4)


def test_another_server_sees_the_process_of_a_sweep(children):
    sweep_jobs.ask(FIRST)
    job = Job(sweep_jobs.folder(FIRST))
    assert job.running and job.status()["pid"] == children[0].pid
