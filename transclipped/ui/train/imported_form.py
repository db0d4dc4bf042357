"""What an imported run lacks on this machine, and the form in which its owner gives it; on top of every page."""

from __future__ import annotations

import streamlit as st

from transclipped.errors import InputError
from transclipped.models.zoo import BUNDLED
from transclipped.runs import imported
from transclipped.runs.run import RunDir
from transclipped.ui import access, acts
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

LABELS = {  # by setting: the field, and its help
    "data.data": ("Folder or file of its images", "Without it the run finds ids, and shows no images."),
    "data.labels": ("Its labels", "A CSV, or the folder of the label lists; only to look and to measure with."),
    "data.split": ("Its split", "The file that names its training, query and database images."),
    imported.WEIGHTS: ("File with the weights of its backbone", "safetensors, or a torch file of plain tensors."),
}
NOTE = "imported note"


@guarded
def draw(run: RunDir | None) -> None:
    """The form, as long as the run lacks something."""
    acts.show(NOTE)
    names = imported.missing(run) if run is not None else []
    if not names:
        return
    with st.expander(f"{plain(run.name)} was imported. Where are its parts on this machine?", icon=":material/input:"):
        st.caption("Nothing that an imported run names is opened or fetched before you say so here.")
        with st.form("imported", border=False):
            for name in names:
                label, about = LABELS[name]
                st.text_input(label, key=f"imported {name}", **access.control(help=about))
            if imported.WEIGHTS in names:
                name = run.config.backbone.name
                bundled = name in BUNDLED
                source = "that come with the app" if bundled else "fetched once from its hub"
                st.checkbox(f"Or the weights of {plain(name)} {source}", key="imported own weights", **access.control())
            st.form_submit_button(
                "Use these", key="imported use", on_click=acts.press, args=(NOTE, _use, run, names), **access.control()
            )


def _use(run: RunDir, names: list[str]) -> None:
    """Keep what was typed; fields that were left empty stay to be given."""
    access.require()
    typed = {name: st.session_state.get(f"imported {name}", "").strip() for name in names}
    settings = {name: str(access.readable(path)) for name, path in typed.items() if path}
    if imported.WEIGHTS not in settings and st.session_state.get("imported own weights"):
        settings[imported.WEIGHTS] = None
    if not settings:
        raise InputError("nothing was given; type a folder or file of this machine, or tick the box")
    imported.give(run, settings)
