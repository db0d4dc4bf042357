"""Progress files, as another process reads them during the work and after it, and who else sees progress."""

import json
import os
import threading

import pytest

from transclipped.errors import InputError
from transclipped.utils.machine import process_start
from transclipped.utils.progress import Progress, count_images, report, watch, with_bars, with_file


def steps(n, *, fail=None):
    for i in range(1, n + 1):
        yield Progress("checking", i, n, float(2 * i))
    if fail is not None:
        raise fail


def content(path):
    return json.loads(path.read_text())


def test_progress_is_written_and_steps_are_yielded(tmp_path):
    path = tmp_path / "progress.json"
    work = with_file(steps(3), path)
    assert next(work).done == 1
    first = content(path)
    assert (first["state"], first["done"], first["total"], first["seconds"]) == ("running", 1, 3, 2.0)
    assert (first["pid"], first["started"]) == (os.getpid(), process_start(os.getpid()))
    assert [step.done for step in work] == [2, 3]
    assert (content(path)["state"], content(path)["done"]) == ("finished", 3)


def test_it_is_running_before_the_first_step(tmp_path):
    states = []

    def slow():
        states.append(content(tmp_path / "p.json"))
        yield from steps(1)

    list(with_file(slow(), tmp_path / "p.json"))
    assert (states[0]["state"], states[0]["done"], states[0]["total"]) == ("running", 0, 0)


@pytest.mark.parametrize("error", [InputError("the disk is full"), RuntimeError("the disk is full")])
def test_a_failure_is_written_and_raised(tmp_path, error):
    with pytest.raises(type(error)):
        list(with_file(steps(1, fail=error), tmp_path / "p.json"))
    result = content(tmp_path / "p.json")
    assert result["state"] == "failed" and result["error"].endswith("the disk is full")


def test_work_without_a_step_finishes(tmp_path):
    assert list(with_file(iter(()), tmp_path / "p.json")) == []
    assert content(tmp_path / "p.json")["state"] == "finished"


def test_without_a_file_nothing_is_written(tmp_path):
    assert len(list(with_file(steps(4), None))) == 4
    assert list(tmp_path.iterdir()) == []


def test_batches_are_counted_for_whoever_watches_and_stay_as_they_are():
    batches, seen = [[1, 2, 3], [], [4]], []
    with watch(seen.append):
        assert list(count_images(batches, 9, "maps")) == batches
    assert [(each.what, each.done, each.total) for each in seen] == [("maps", 3, 9), ("maps", 3, 9), ("maps", 4, 9)]
    assert list(count_images(batches, 9, "maps")) == batches and len(seen) == 3


def test_the_innermost_watcher_of_a_thread_sees_progress_of_bars_too():
    outer, inner = [], []
    with watch(outer.append):
        with pytest.raises(RuntimeError), watch(inner.append):
            list(with_bars(steps(2, fail=RuntimeError("torn"))))
        thread = threading.Thread(target=report, args=(Progress("other", 1, 1, 0.0),))
        thread.start()
        thread.join()
        report(Progress("last", 1, 1, 0.0))
    report(Progress("unseen", 1, 1, 0.0))
    assert [each.done for each in inner] == [1, 2] and [each.what for each in outer] == ["last"]
