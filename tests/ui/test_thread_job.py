"""Computations in threads: one has the turn, and what goes wrong is said."""

import threading

import pytest

from transclipped.errors import InputError
from transclipped.ui.thread_job import Job

LONG = 20  # seconds until a test gives up


def failing(error):
    def work(job):
        raise error

    return work


def test_a_job_waits_for_its_turn_and_has_its_result():
    turn, job = threading.Lock(), Job("sum", total=0)
    with turn:
        job.start(lambda own: own.total + sum(range(5)), turn=turn)
        job.thread.join(0.05)
        assert job.running and job.waiting
    job.thread.join(LONG)
    assert job.result == 10 and not job.running and not job.waiting and not turn.locked()


@pytest.mark.parametrize(
    ("error", "text"), [(InputError("no space left"), "no space left"), (KeyError("x"), "sum: KeyError: 'x'")]
)
def test_an_error_ends_a_job_and_the_next_one_has_its_turn(error, text):
    turn = threading.Lock()
    job = Job("sum").start(failing(error), turn=turn)
    job.thread.join(LONG)
    assert job.error == text and job.result is None and not job.running
    after = Job("after").start(lambda own: own.name, turn=turn)
    after.thread.join(LONG)
    assert after.result == "after"


@pytest.mark.parametrize("work", [lambda job: None, failing(InputError(""))])
def test_a_job_without_result_or_words_has_ended_too(work):
    job = Job("nothing").start(work, turn=threading.Lock())
    job.thread.join(LONG)
    assert not job.running and job.result is None
