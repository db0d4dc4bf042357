"""Save a head of a sweep as a run, which all other pages then list."""

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
    "The lab set holds the backbone's embeddings, rounded to 8 bits, so the head works with the backbone on any image. "
    "The run searches the 5,000 images of the lab set; its metrics use the rounded embeddings."
)


def saved_settings(sweep: Sweep, results: list[dict]) -> dict[str, ClippingConfig]:
    """Settings whose head is stored, by description, the best first."""
    configs = {(config.rule, amount_of(config)): config for config in sweep.settings()}
    settings = {}
    for result in sorted(results, key=lambda r: -r["map"]):
        config = configs.get((result["rule"], result["amount"]))
        if config and head_file(sweep_jobs.folder(sweep), config).exists():
            settings[described(result["rule"], result["amount"])] = config
    return settings


def section(sweep: Sweep, results: list[dict]) -> None:
    """The choice of a head, the button, and links to the saved run."""
    settings = saved_settings(sweep, results)
    if not settings:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="keep"):
        text = st.selectbox("Save a head", list(settings), key="keep head", width=220, help=HELP)
        config = settings.get(text) or next(iter(settings.values()))
        options = {"on_click": acts.press, "args": (NOTE, _keep, sweep, config), **access.control(access.TRAIN)}
        st.button("Save as a run", key="keep button", icon=":material/bookmark_add:", **options)
        if (name := st.session_state.get("kept run")) in runs.all_runs():
            st.caption(f"Saved as {plain(name)}.", width="content")
            for page, label in (("retrieval", "Search with it"), ("benchmarks", "Compare")):
                if st.button(label, key=f"kept {page}", on_click=runs.look_at, args=(name,)):
                    links.go(page)  # without `run`, which the sidebar adds
    acts.show(NOTE)


def _keep(sweep: Sweep, clipping: ClippingConfig) -> None:
    from transclipped.experiments.lab.keep import keep

    access.require(access.TRAIN)
    amount = amount_of(clipping)
    parts = ["lab", clipping.rule, "" if amount is None else f"{amount:g}", f"t{sweep.temperature:g}"]
    parts += ["clamp" if clipping.treatment == "clamp" else "", f"seed-{sweep.seed}"]
    name = fitting_name("-".join(part for part in parts if part))  # of all settings: the same head is the same run
    if not (runs.home() / name).exists():
        keep(labset.load(), sweep, clipping, folder=sweep_jobs.folder(sweep), path=runs.home() / name)
    st.session_state["kept run"] = name
