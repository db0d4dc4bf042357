"""The form on top of every page in which the owner gives the missing paths of an imported run."""

from __future__ import annotations

import streamlit as st

from transclipped.errors import InputError
from transclipped.models.zoo import BUNDLED
from transclipped.runs import imported
from transclipped.runs.run import RunDir
from transclipped.ui import access, acts
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

LABELS = {  # by setting: the field, and its help
    "data.data": ("Folder or file of the images", "Without it, hits are shown by id only."),
    "data.labels": ("Labels", "A CSV or the folder of the label lists; for display and evaluation only."),
    "data.split": ("Split", "The file that names its training, query and database images."),
    imported.WEIGHTS: ("Backbone weights", "A safetensors file, or a torch file of plain tensors."),
}
NOTE = "imported note"


@shows_input_errors
def draw(run: RunDir | None) -> None:
    """Draw the form, as long as something is missing."""
    acts.show(NOTE)
    names = imported.missing(run) if run is not None else []
    if not names:
        return
    with st.expander(f"{plain(run.name)} was imported: give the paths of its files", icon=":material/input:"):
        st.caption("Files named in an imported run are neither opened nor downloaded until you confirm them here.")
        with st.form("imported", border=False):
            for name in names:
                label, about = LABELS[name]
                st.text_input(label, key=f"imported {name}", **access.control(help=about))
            if imported.WEIGHTS in names:
                name = run.config.backbone.name
                source = "bundled with the app" if name in BUNDLED else "downloaded once from the hub"
                label = f"Or use the weights of {plain(name)} {source}"
                st.checkbox(label, key="imported own weights", **access.control())
            st.form_submit_button(
                "Use these", key="imported use", on_click=acts.press, args=(NOTE, _use, run, names), **access.control()
            )


def _use(run: RunDir, names: list[str]) -> None:
    """Store the paths; an empty field stays missing."""
    access.require()
    typed = {name: st.session_state.get(f"imported {name}", "").strip() for name in names}
    settings = {name: str(access.readable(path)) for name, path in typed.items() if path}
    if imported.WEIGHTS not in settings and st.session_state.get("imported own weights"):
        settings[imported.WEIGHTS] = None
    if not settings:
        raise InputError("nothing was given; type the path of a folder or file, or tick the box")
    imported.give(run, settings)
