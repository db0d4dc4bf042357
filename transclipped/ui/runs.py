"""Which runs there are, and which one the visitor looks at (`?run=` in the address)."""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from pathlib import Path

import streamlit as st

from transclipped.config import DataConfig, QuantizerConfig
from transclipped.errors import InputError
from transclipped.runs.manage import renamed
from transclipped.runs.run import RunDir, find_runs
from transclipped.ui import absent
from transclipped.ui.text import plain
from transclipped.utils.files import ASSETS

BUNDLED = ASSETS / "runs"
KEY = "run"  # of the choice, and its name in the address
IN_ADDRESS = (KEY, "watch", "compare", "runs", "beside")  # whose values are names of runs
STATES = {
    "running": "is being trained",
    "stopped": "was stopped before its end; Train can resume it",
    "interrupted": "was interrupted; Train can resume it",
    "failed": "failed",
    "finished": "is finished",
}


def home() -> Path:
    """Folder of the visitor's own runs: variable `TRANSCLIPPED_RUNS`, else ./runs."""
    return Path(os.environ.get("TRANSCLIPPED_RUNS") or "runs")


class Bundled(RunDir):
    """A run that comes with the app: nobody writes to it, so each file is looked at once.

    Every look lets the threads of other visitors run first, and a rerun took 540 of them, mostly at bundled runs.
    """

    fingerprint = cached_property(RunDir.fingerprint.fget)
    _problem = cached_property(RunDir.problem)

    def problem(self) -> str | None:
        return self._problem


def all_runs() -> dict[str, RunDir]:
    """Own runs, newest first, then the bundled ones, by name; an own run hides a bundled namesake."""
    bundled = _bundled(BUNDLED, tuple(sorted(path.name for path in BUNDLED.glob("*"))))
    taken = {path.name for path in home().glob("*")}
    return {run.name: run for run in find_runs(home())} | {run.name: run for run in bundled if run.name not in taken}


@lru_cache(maxsize=1)
def _bundled(folder: Path, names: tuple[str, ...]) -> list[Bundled]:
    return [Bundled(folder / name) for name in names if (folder / name / "config.json").exists()]


def choose() -> None:
    """Sidebar: the choice of run, and a line that says what it is."""
    names = list(all_runs())
    if not names:
        st.session_state.pop(KEY, None)
        st.info("No run yet. Open Train and start one.")
        return
    _settle(names)
    st.selectbox(
        "Run", names, names.index(first()), key=KEY, bind="query-params",
        help="A trained model with its coded database.",
    )  # fmt: skip
    run = current()
    if run is not None:
        st.caption(plain(run.problem() or summary(run)))
    others = {other.name: problem for other in all_runs().values() if (problem := other.problem())}
    if others:
        named = ", ".join(map(plain, others))
        st.caption(f"Damaged: {named}", help="\n\n".join(map(plain, others.values())))


def current() -> RunDir | None:
    """The chosen run; None if there is none. One deleted since `choose` drew its box has the page run again."""
    known, name = all_runs(), st.session_state.get(KEY)
    if name is not None and name not in known:
        st.rerun()
    return known.get(name or first())


def look_at(name: str) -> None:
    """Let every page look at this run; for callbacks, since the choice itself is drawn by then."""
    st.session_state[KEY] = name


def follow_renames() -> None:
    """Let an address that names a run by a former name mean the run; call it before any widget is drawn."""
    known, moved = all_runs(), {}
    for key in IN_ADDRESS:
        said = [] if key in st.session_state else st.query_params.get_all(key)
        now = {name: new.name for name in said if name not in known and (new := renamed(name, known.values()))}
        if now:
            moved[key] = [now.get(name, name) for name in said]
            absent.note(key, " ".join(is_called(old, new) for old, new in now.items()))
    if moved:
        st.query_params.update(moved)
        st.rerun()  # widgets take their first value from the address that a run of the script began with


def _settle(names: list[str]) -> None:
    """Replace a run that is not there, by the one that it became if it was renamed, and say so."""
    state = st.session_state
    name = state.get(KEY, st.query_params.get(KEY))
    if name is None or name in names:
        return
    new = renamed(name, all_runs().values())
    instead = new.name if new is not None else first()
    if KEY in state:  # its box is on the screen, and follows; at first the address alone decides
        state[KEY] = instead
    gone = f"There is no run *{plain(name[: absent.LONGEST])}* here (it may have been renamed or deleted); "
    absent.note(KEY, is_called(name, instead) if new is not None else f"{gone}this is *{plain(instead)}*.")


def is_called(old: str, new: str) -> str:
    """That a run was renamed, as Markdown."""
    return f"Run *{plain(old)}* is called *{plain(new)}* now."


def first() -> str | None:
    """Name of the run that a visitor sees before choosing one: a bundled hybrid with clipping, else any bundled one.

    Own runs come first only where none is bundled. Of several, CIFAR-10, the usual code length and the whole training
    set win.
    """
    known = all_runs()
    bundled = [run for run in known.values() if BUNDLED in run.path.parents]
    return min(bundled, key=rank).name if bundled else next(iter(known), None)


def rank(run: RunDir) -> tuple:
    """Key that sorts the run to begin with first; see `first`."""
    try:
        config = run.config
    except InputError:
        return (True, True, True, True, True, run.name)
    usual = QuantizerConfig().bits
    return (
        config.data.dataset != DataConfig().dataset,
        not config.backbone.name.startswith("hybrid"),
        config.clipping.rule == "none",
        config.quantizer.bits != usual,
        config.data.protocol == "II",
        run.name,
    )


def summary(run: RunDir) -> str:
    """Data set, code length, clipping and mAP in a line."""
    try:
        config, metrics = run.config, run.metrics()
    except InputError as error:
        return str(error)
    rule = config.clipping.rule
    clipping = "no clipping" if rule == "none" else f"{rule} clipping"
    parts = [config.data.dataset, f"{config.quantizer.bits} bits", clipping, config.backbone.name]
    if metrics and "asymmetric" in metrics["modes"]:
        parts.append(f"mAP@{metrics['k']} {metrics['modes']['asymmetric']['map']:.3f}")
    return " · ".join(parts)


def finished() -> RunDir | None:
    """The chosen run if it can be searched; otherwise says what is missing and what to press."""
    run = current()
    if run is None:
        st.info("There is no run to look at yet. Train one: the small sample is quick.")
        st.page_link("pages/train.py", label="Train a run", icon=":material/model_training:")
        return None
    if problem := run.problem():
        st.error(plain(problem))
        return None
    if (run.path / "retrieval.npz").exists() and (run.path / "metrics.json").exists():
        return run
    status = run.status()
    state = status["state"]
    st.info(f"Run {plain(run.name)} {STATES.get(state, state)}. {plain(status.get('error', ''))}")
    st.page_link("pages/train.py", label="Look at its training", icon=":material/model_training:")
    return None
