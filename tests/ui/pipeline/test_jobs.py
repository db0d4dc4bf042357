"""How long pipelines stay ready, without computing one."""

import threading
import time
from types import SimpleNamespace

import pytest

from transclipped.ui.pipeline import jobs as module
from transclipped.ui.pipeline.data import STORES
from transclipped.ui.pipeline.jobs import MOST, Jobs
from transclipped.ui.thread_job import Job


@pytest.fixture
def jobs(monkeypatch):
    monkeypatch.setattr(module, "fitted", lambda line, place: f"{line} at {place.key}")
    return Jobs()


def place(name):
    return SimpleNamespace(key=name)


def test_a_result_stays_whatever_is_computed_at_other_places_meanwhile(jobs):
    jobs.ready("sda", place("walk"))
    for i in range(2 * MOST):
        jobs.ready(f"line {i}", place("photographs"))
    assert jobs.find("sda", place("walk")).result == "sda at walk"
    assert jobs.find("line 0", place("photographs")) is None
    assert all(jobs.find(f"line {i}", place("photographs")) for i in range(MOST, 2 * MOST))


def test_results_go_with_the_outputs_of_their_place(jobs):
    names = [f"place {i}" for i in range(STORES + 1)]
    for name in names[:STORES]:
        jobs.ready("line", place(name))
    assert jobs.find("line", place(names[0]))  # the latest now
    jobs.ready("line", place(names[STORES]))
    assert jobs.find("line", place(names[1])) is None
    assert all(jobs.find("line", place(names[i])) for i in (0, *range(2, STORES + 1)))


def test_visitors_who_start_a_line_at_once_share_one_thread(jobs, monkeypatch):
    class Slow(Job):
        def __init__(self, *args, **options):
            time.sleep(0.05)  # between the look and the start
            super().__init__(*args, **options)

    done, started = threading.Event(), []
    monkeypatch.setattr(module, "Job", Slow)
    monkeypatch.setattr(module, "_fit", lambda job, place: done.wait(20))
    threads = [threading.Thread(target=lambda: started.append(jobs.start("line", place("here")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    done.set()
    assert len(started) == 4 and len({id(job) for job in started}) == 1


def test_what_is_running_is_never_forgotten(jobs):
    jobs._add(place("old"), Job("running"))
    for i in range(2 * STORES):
        jobs.ready("line", place(f"place {i}"))
    assert jobs.find("running", place("old")).running
