"""Sections of Clipping that look at one batch, each a fragment: its controls and what it draws."""

from __future__ import annotations

import streamlit as st

from transclipped.ui.clipping import look as lab_look
from transclipped.ui.clipping import tune as lab_tune
from transclipped.ui.clipping.batch import View
from transclipped.ui.guard import guarded


@st.fragment
@guarded
def tune(view: View) -> None:
    """The slider of the rule, and what it does to the loss."""
    lab_tune.controls(view)
    done = lab_tune.dial(view)
    lab_tune.effects(view, done)
    lab_tune.to_train(view)
    lab_tune.suggestions(view)


@st.fragment
@guarded
def pairs(view: View) -> None:
    """Anchors with their worst mistakes, and classes that are taken for each other."""
    lab_tune.controls(view)
    done = lab_tune.dial(view)
    lab_look.anchors(view, done)
    lab_look.confusion(view, done)


@st.fragment
@guarded
def steps(view: View) -> None:
    """One anchor, step by step."""
    lab_tune.controls(view)
    lab_look.one_anchor(view)


@st.fragment
@guarded
def rules(view: View) -> None:
    """All rules side by side."""
    lab_tune.temperature_control(view)
    lab_look.side_by_side(view)
