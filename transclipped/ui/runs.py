"""The runs, and the one that the visitor has chosen (`?run=` in the address)."""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from pathlib import Path

import streamlit as st

from transclipped.config import SIMCLR, WITHOUT_NEGATIVES, DataConfig, QuantizerConfig
from transclipped.errors import InputError
from transclipped.models.zoo import HYBRID
from transclipped.runs.manage import renamed
from transclipped.runs.run import RunDir, find_runs
from transclipped.ui import absent
from transclipped.ui.text import plain
from transclipped.utils.files import ASSETS

BUNDLED = ASSETS / "runs"
KEY = "run"  # of the choice, and its name in the address
IN_ADDRESS = (KEY, "watch", "compare", "runs", "beside")  # parameters whose values are names of runs
STATES = {
    "running": "is training",
    "stopped": "was stopped; Train can resume it",
    "interrupted": "was interrupted; Train can resume it",
    "failed": "failed",
    "finished": "is finished",
}


def home() -> Path:
    """Folder of the user's runs: environment variable `TRANSCLIPPED_RUNS`, else ./runs."""
    return Path(os.environ.get("TRANSCLIPPED_RUNS") or "runs")


class Bundled(RunDir):
    """A run that comes with the app: it never changes, so each file is checked once.

    Each file access lets the threads of other visitors run first, and a rerun took 540 of them, most to bundled runs.
    """

    fingerprint = cached_property(RunDir.fingerprint.fget)
    _problem = cached_property(RunDir.problem)

    def problem(self) -> str | None:
        return self._problem


def all_runs() -> dict[str, RunDir]:
    """The user's runs, newest first, then the bundled ones by name, without those whose name the user has taken."""
    bundled = _bundled(BUNDLED, tuple(sorted(path.name for path in BUNDLED.glob("*"))))
    taken = {path.name for path in home().glob("*")}
    return {run.name: run for run in find_runs(home())} | {run.name: run for run in bundled if run.name not in taken}


@lru_cache(maxsize=1)
def _bundled(folder: Path, names: tuple[str, ...]) -> list[Bundled]:
    return [Bundled(folder / name) for name in names if (folder / name / "config.json").exists()]


def choose() -> None:
    """Sidebar: the choice of run, and a line that describes it."""
    existing = all_runs()
    names = list(existing)
    if not names:
        st.session_state.pop(KEY, None)
        st.info("No run yet. Open Train and start one.")
        return
    _settle(names)
    about = "A trained model with its coded database."
    st.selectbox("Run", names, names.index(first()), key=KEY, bind="query-params", help=about)
    run = current()
    if run is not None:
        st.caption(plain(run.problem() or summary(run)))
    problems = {run.name: problem for run in existing.values() if (problem := run.problem())}
    if problems:
        damaged = ", ".join(map(plain, problems))
        st.caption(f"Damaged: {damaged}", help="\n\n".join(map(plain, problems.values())))


def current() -> RunDir | None:
    """The chosen run; None if there is none. If it was deleted since `choose` drew the box, the page reruns."""
    existing, name = all_runs(), st.session_state.get(KEY)
    if name is not None and name not in existing:
        st.rerun()
    return existing.get(name or first())


def look_at(name: str) -> None:
    """Choose this run; for callbacks only, which run before the box is drawn."""
    st.session_state[KEY] = name


def follow_renames() -> None:
    """Replace former names of renamed runs in the address; call it before any widget is drawn."""
    existing, changed = all_runs(), {}
    for key in IN_ADDRESS:
        names = [] if key in st.session_state else st.query_params.get_all(key)
        gone = [name for name in names if name not in existing]
        new = {name: run.name for name in gone if (run := renamed(name, existing.values()))}
        if new:
            changed[key] = [new.get(name, name) for name in names]
            absent.note(key, " ".join(renamed_notice(old, name) for old, name in new.items()))
    if changed:
        st.query_params.update(changed)
        st.rerun()  # widgets take their first value from the address at the start of a script run


def _settle(names: list[str]) -> None:
    """Replace a chosen run that does not exist by its renamed version or the first run, and report it."""
    state = st.session_state
    name = state.get(KEY, st.query_params.get(KEY))
    if name is None or name in names:
        return
    new = renamed(name, all_runs().values())
    instead = new.name if new is not None else first()
    if KEY in state:  # its box is on the screen and needs the new value; at first only the address counts
        state[KEY] = instead
    gone = f"Run *{plain(name[: absent.LONGEST])}* does not exist (renamed or deleted?); showing *{plain(instead)}*."
    absent.note(KEY, renamed_notice(name, instead) if new is not None else gone)


def renamed_notice(old: str, new: str) -> str:
    """The Markdown notice that a run was renamed."""
    return f"Run *{plain(old)}* is now called *{plain(new)}*."


def first() -> str | None:
    """Name of the default run: the first bundled one by `rank`; where none is bundled, the user's newest."""
    existing = all_runs()
    bundled = [run for run in existing.values() if BUNDLED in run.path.parents]
    return min(bundled, key=rank).name if bundled else next(iter(existing), None)


def rank(run: RunDir) -> tuple:
    """Sort key: CIFAR-10, a hybrid, clipping, the default code length, all training images, the default backbone."""
    try:
        config = run.config
    except InputError:
        return (True,) * 6, run.name
    return (
        config.data.dataset != DataConfig().dataset,
        not config.backbone.name.startswith("hybrid"),
        config.clipping.rule == "none",
        config.quantizer.bits != QuantizerConfig().bits,
        config.data.protocol == "II",
        config.backbone.name != HYBRID,
    ), run.name


def summary(run: RunDir) -> str:
    """Data set, code length, clipping and mAP in one line."""
    try:
        config, metrics = run.config, run.metrics()
    except InputError as error:
        return str(error)
    objective = config.loss.objective
    rule = "none" if objective in WITHOUT_NEGATIVES else config.clipping.rule
    clipping = "no clipping" if rule == "none" else f"{rule} clipping"
    parts = [config.data.dataset, f"{config.quantizer.bits} bits", clipping, config.backbone.name]
    parts += [] if objective == SIMCLR else [objective]
    if metrics and "asymmetric" in metrics["modes"]:
        parts.append(f"mAP@{metrics['k']} {metrics['modes']['asymmetric']['map']:.3f}")
    return " · ".join(parts)


def finished() -> RunDir | None:
    """The chosen run if it can be searched; otherwise shows what is missing and where to go."""
    run = current()
    if run is None:
        st.info("No run yet. Train one; the small sample is quick.")
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
    st.page_link("pages/train.py", label="Open its training", icon=":material/model_training:")
    return None
