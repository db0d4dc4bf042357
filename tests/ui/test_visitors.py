"""Actions that a visitor may not take: each one refuses by itself, whatever its button shows."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st

from transclipped.config import BackboneConfig, DataConfig, RunConfig
from transclipped.errors import InputError
from transclipped.experiments.lab.sweep import Sweep
from transclipped.runs import imported
from transclipped.runs.run import RunDir
from transclipped.training import queue
from transclipped.ui import access, collection_links, runs
from transclipped.ui.clipping import sweep_jobs, sweep_keep
from transclipped.ui.components import intake
from transclipped.ui.datasets import job as datasets_job
from transclipped.ui.train import imported_form, jobs
from transclipped.ui.train import keep as train_keep
from transclipped.ui.train import live as train_live

SWEEP = Sweep(rule="threshold", amounts=(0.5,), temperature=0.3, treatment="remove", seed=0)


@pytest.fixture
def home(tmp_path, monkeypatch, children) -> Path:
    """A folder of runs with one stopped run; queued trainings do not start."""
    (tmp_path / "runs" / "old").mkdir(parents=True)
    (tmp_path / "runs" / "old" / "config.json").write_text('{"v": 1}')
    monkeypatch.setenv("TRANSCLIPPED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(runs, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr(queue, "start_worker", lambda home: None)
    sweep_jobs._queues.clear()
    return tmp_path / "runs"


@pytest.fixture
def trainer(opened_up, monkeypatch) -> set[str]:
    """A visitor who may train; names of the runs they started."""
    monkeypatch.setenv(access.OPEN, "train")
    names: set[str] = set()
    monkeypatch.setattr(access, "started", lambda: names)
    monkeypatch.setattr(access, "remember_started", names.add)
    return names


def old() -> RunDir:
    return RunDir(runs.home() / "old")


ACTS = {
    "start": lambda: jobs.start(RunConfig(), "new"),
    "start next": lambda: jobs.start_next(RunConfig(), "new"),
    "resume": lambda: jobs.resume(old()),
    "stop": lambda: jobs.ask_to_stop(old()),
    "end": lambda: jobs.end_now(old()),
    "cancel": lambda: jobs.cancel("old"),
    "sweep": lambda: sweep_jobs.ask(SWEEP),
    "sweep again": lambda: sweep_jobs.ask(SWEEP, again=True),
    "cancel sweep": lambda: sweep_jobs.cancel(SWEEP),
    "check": lambda: datasets_job.start(DataConfig(), "0" * 16),
    "upload": train_keep._unpack,
    "rename": lambda: train_keep._rename(old(), "new"),
    "delete": lambda: train_live.delete(old()),
    "offer": lambda: access.offer("/"),
    "typed collection": lambda: collection_links.folder({}, "/"),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_action_refuses_a_visitor_and_changes_nothing(home, opened_up, act):
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    with pytest.raises(InputError, match=r"Only the owner"):
        ACTS[act]()
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


@pytest.mark.parametrize("act", ACTS)
def test_a_visitor_who_may_train_can_do_nothing_else(home, trainer, act):
    if act in ("start", "start next", "sweep", "cancel sweep"):
        ACTS[act]()
        return
    if act == "check":
        return  # starts a process
    with pytest.raises(InputError, match=r"Only the owner"):
        ACTS[act]()


def test_saving_a_head_and_completing_an_imported_run_are_refused(home, opened_up):
    with pytest.raises(InputError, match="owner"):
        sweep_keep._keep(SWEEP, SWEEP.settings()[0])
    imported.mark(old().path, ["data.data"])
    st.session_state["imported data.data"] = "/"
    with pytest.raises(InputError, match="owner"):
        imported_form._use(old(), ["data.data"])
    assert imported.missing(old()) == ["data.data"] and [path.name for path in home.iterdir()] == ["old"]


def test_a_visitor_trains_on_offered_data_only(home, trainer, tmp_path, monkeypatch):
    config = RunConfig(data=DataConfig(dataset="folder", data=str(tmp_path)))
    with pytest.raises(InputError, match="offers"):
        jobs.start(config, "a")
    monkeypatch.setenv(access.ROOTS, str(tmp_path))
    jobs.start(config, "a")
    with pytest.raises(InputError, match="offers"):
        jobs.start(replace(config, data=replace(config.data, labels="/etc/passwd")), "b")
    for backbone in (BackboneConfig(name="vit_tiny_patch16_224"), BackboneConfig(name="hybrid-vit", weights="/x")):
        with pytest.raises(InputError, match="not bundled"):
            jobs.start(RunConfig(backbone=backbone), "c")
    assert [w.name for w in queue.waiting(home)] == ["a"]


def test_visitors_may_open_the_data_that_the_owner_trains_on(home, listening, tmp_path, monkeypatch):
    listening("localhost")
    jobs.start(RunConfig(data=DataConfig(dataset="folder", data=str(tmp_path / "offered"))), "owners")
    jobs.start(RunConfig(), "bundled")
    listening("0.0.0.0", Host="192.0.2.7")
    assert access.readable(tmp_path / "offered" / "x") == tmp_path / "offered" / "x"
    with pytest.raises(InputError, match="offers"):
        access.readable(tmp_path)


def test_a_visitor_stops_and_resumes_only_their_own_runs(home, trainer):
    jobs.start(RunConfig(), "mine")
    trainer.discard("mine")
    with pytest.raises(InputError, match="owner"):
        jobs.cancel("mine")
    trainer.add("mine")
    jobs.cancel("mine")
    with pytest.raises(InputError, match="owner"):
        jobs.ask_to_stop(old())
    trainer.add("old")
    jobs.ask_to_stop(old())
    assert (old().path / "stop").exists()


def test_a_visitor_queues_at_most_three_even_with_simultaneous_presses(home, trainer, monkeypatch):
    waiting = queue.waiting

    def slowly(home: Path) -> list[queue.Waiting]:
        entries = waiting(home)
        time.sleep(0.02)  # others read it meanwhile
        return entries

    monkeypatch.setattr(queue, "waiting", slowly)

    def press(number: int) -> bool:
        try:
            jobs.start(RunConfig(), f"run-{number}")
            return True
        except InputError as error:
            assert "3 of your training runs" in str(error)
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(press, range(8))) == jobs.MOST_EACH == len(queue.waiting(home))


def test_a_visitor_cannot_add_to_twenty_queued_trainings(home, trainer, listening, monkeypatch):
    for number in range(jobs.MOST_VISITORS):
        queue.enqueue(home, f"other-{number}", [])
    with pytest.raises(InputError, match="20 training runs"):
        jobs.start(RunConfig(), "mine")
    listening("localhost")
    jobs.start(RunConfig(), "owners")


def test_a_full_disk_accepts_no_training_of_a_visitor(home, trainer, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=imported.LEAST_FREE - 1))
    with pytest.raises(InputError, match="nearly full"):
        jobs.start(RunConfig(), "mine")


def test_the_number_of_queued_sweeps_is_bounded(home, listening, monkeypatch):
    listening("localhost")
    for seed in range(sweep_jobs.MOST + 1):  # one of them is running
        sweep_jobs.ask(replace(SWEEP, seed=seed))
    with pytest.raises(InputError, match="sweeps are queued already"):
        sweep_jobs.ask(replace(SWEEP, seed=99))


def test_each_image_of_a_session_counts_once(opened_up, listening, monkeypatch):
    monkeypatch.setattr(intake, "MOST_A_VISIT", 3)
    st.session_state.pop("brought", None)
    for digest in ("a", "b", "c", "a", "c"):
        intake._count(digest)
    with pytest.raises(InputError, match="3 images"):
        intake._count("d")
    listening("localhost")
    intake._count("d")
