"""Keep a head of a sweep: one press makes it a run, which all other pages then list."""

from __future__ import annotations

import streamlit as st

from transclipped.clipping import amount_of, described
from transclipped.config import ClippingConfig
from transclipped.experiments.lab.sweep import Sweep, head_file
from transclipped.features import labset
from transclipped.runs.manage import fitting_name
from transclipped.ui import access, acts, links, runs
from transclipped.ui.clipping import sweep_jobs
from transclipped.ui.text import plain

NOTE = "kept note"
HELP = (
    "The lab set holds the backbone's own embeddings, rounded to 8 bits, so the head works behind the backbone on any "
    "image. The run searches the lab set's 5,000 images, and its numbers are measured on the rounded embeddings."
)


def setting(result: dict) -> str:
    """Rule and amount of a result."""
    return described(result["rule"], result["amount"])


def kept_settings(sweep: Sweep, found: list[dict]) -> dict[str, ClippingConfig]:
    """Settings whose head the sweep has kept, by their text, the best one first."""
    folder, order = sweep_jobs.folder(sweep), sorted(found, key=lambda r: -r["map"])
    known = {(clipping.rule, amount_of(clipping)): clipping for clipping in sweep.settings()}
    there = [(r, known.get((r["rule"], r["amount"]))) for r in order]
    return {setting(r): clipping for r, clipping in there if clipping and head_file(folder, clipping).exists()}


def section(sweep: Sweep, found: list[dict]) -> None:
    """The choice of a head, the button, and the run that came of it."""
    there = kept_settings(sweep, found)
    if not there:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="keep"):
        text = st.selectbox("Keep a head", list(there), key="keep head", width=220, help=HELP)
        st.button(
            "Keep it as a run", key="keep button", icon=":material/bookmark_add:",
            on_click=acts.press, args=(NOTE, _keep, sweep, there.get(text) or next(iter(there.values()))),
            **access.control(access.TRAIN),
        )  # fmt: skip
        if st.session_state.get("kept run") in runs.all_runs():
            _links(st.session_state["kept run"])
    acts.show(NOTE)


def _links(name: str) -> None:
    st.caption(f"Kept as {plain(name)}.", width="content")
    for page, label in (("retrieval", "Ask with it"), ("benchmarks", "Compare it")):
        if st.button(label, key=f"kept {page}", on_click=runs.look_at, args=(name,)):
            links.go(page)  # `run` is the sidebar's, so it must not be among the parameters


def _keep(sweep: Sweep, clipping: ClippingConfig) -> None:
    from transclipped.experiments.lab.keep import keep

    name = _name(sweep, clipping)
    access.require(access.TRAIN)
    if not (runs.home() / name).exists():
        keep(labset.load(), sweep, clipping, folder=sweep_jobs.folder(sweep), path=runs.home() / name)
    st.session_state["kept run"] = name


def _name(sweep: Sweep, clipping: ClippingConfig) -> str:
    """All that tells the head apart from others of the lab set, so that a second press finds the run of the first."""
    amount = amount_of(clipping)
    parts = ["lab", clipping.rule, "" if amount is None else f"{amount:g}", f"t{sweep.temperature:g}"]
    parts += ["clamp" if clipping.treatment == "clamp" else "", f"seed-{sweep.seed}"]
    return fitting_name("-".join(part for part in parts if part))
