"""The clipping slider: a histogram of similarities whose numbers follow a dial in the browser, without the server.

histogram.js beside this file does the drawing. It is sent the counts at every position of the dial once, so what it
shows while the slider moves is what the library counts; the position comes back when the slider is released.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from transclipped.analysis.clipping.dials import SCALES, Dial
from transclipped.ui.shell import scale
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT

PRECISION, RECALL = "#832db6", "#009e73"
HTML = '<div class="lab"></div>'
CSS = """
.lab { position: relative; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.9rem;
  font-variant-numeric: tabular-nums; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.4rem 1rem;
  margin-bottom: 0.5rem; }
.number b { display: block; font-size: 1.55rem; font-weight: 600; line-height: 1.2; }
.number span { opacity: 0.8; }
.number i { display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 2px; margin-right: 0.35rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; align-items: center; font-size: 0.8rem; }
.legend i { display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 2px; margin-right: 0.3rem;
  vertical-align: -1px; }
.legend .kept { opacity: 0.35; }
.buttons { display: flex; gap: 0.3rem; margin-left: auto; }
.legend button { font: inherit; color: inherit; background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: 0.4rem; padding: 0.1rem 0.5rem; }
.legend button:hover, .legend button:focus-visible { border-color: var(--st-primary-color); }
svg { display: block; width: 100%; overflow: visible; touch-action: pan-y; }
svg text { fill: currentColor; font-size: 0.75rem; opacity: 0.85; }
.aligned { cursor: ew-resize; }
input { display: block; margin: 0.1rem 0 0.5rem 0; height: 1.5rem; accent-color: var(--st-primary-color); }
"""
_component = st.components.v2.component(
    "transclipped_histogram",
    html=HTML,
    css=CSS,
    js=Path(__file__).with_name("histogram.js").read_text(encoding="utf-8"),
)


def draw(dial: Dial, *, amount: float, version: str, key: str, on_amount: Callable[[str, float], None]) -> None:
    """Draw a dial over its batch.

    Args:
        amount: position where the slider stands.
        version: of the batch and the rule's other settings; a new one puts the slider at `amount`.
        on_amount: told rule and position when the slider is released, before the page runs again.
    """
    known = SCALES[dial.rule]

    def moved() -> None:
        said = (st.session_state.get(key) or {}).get("amount")
        value = said.get("value") if isinstance(said, dict) and said.get("rule") in SCALES else None
        if isinstance(value, int | float):
            on_amount(said["rule"], SCALES[said["rule"]].nearest(float(value)))

    sent = {
        "version": version,
        "rule": dial.rule,
        "symbol": known.symbol,
        "text": known.text,
        "amount": known.nearest(amount),
        "amounts": dial.amounts.tolist(),
        "clipped": dial.clipped.tolist(),
        "hits": None if dial.hits is None else dial.hits.tolist(),
        "pairs": dial.pairs,
        "false": dial.false,
        "edges": dial.edges.tolist(),
        "histogram": dial.histogram.tolist(),
        "cut": base64.b64encode(np.ascontiguousarray(dial.cut, "<u4")).decode(),
        "aligned": known.setting == "threshold",
        "scale": scale(),
        "colours": {
            "same": RELEVANT, "other": IRRELEVANT, "all": NEUTRAL, "precision": PRECISION, "recall": RECALL,
            "share": NEUTRAL,
        },
    }  # fmt: skip
    _component(key=key, data=sent, on_amount_change=moved)
