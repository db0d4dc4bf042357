"""The clipping slider: a histogram of similarities whose numbers follow a dial in the browser, without the server.

histogram.js beside this file does the drawing. It is sent the counts at every position of the dial once, so what it
shows while the slider moves is what the library counts; the position comes back when the slider is released.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import numpy as np
import streamlit as st

from transclipped.analysis.clipping.dials import Dial, nearest
from transclipped.clipping import RULES, turned
from transclipped.ui.components.component import component
from transclipped.ui.shell import scale
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT

PRECISION, RECALL = "#832db6", "#009e73"
_component = component("histogram")


def draw(dial: Dial, *, amount: float, version: str, key: str, on_amount: Callable[[str, float], None]) -> None:
    """Draw a dial over its batch.

    Args:
        amount: position where the slider stands.
        version: of the batch and the rule's other settings; a new one puts the slider at `amount`.
        on_amount: told rule and position when the slider is released, before the page runs again.
    """
    rule = RULES[dial.rule]

    def moved() -> None:
        said = (st.session_state.get(key) or {}).get("amount")
        value = said.get("value") if isinstance(said, dict) and said.get("rule") in turned() else None
        if isinstance(value, int | float):
            on_amount(said["rule"], nearest(turned()[said["rule"]], float(value)))

    sent = {
        "version": version,
        "rule": dial.rule,
        "symbol": rule.amount.symbol,
        "text": f"Clip {rule.does}",
        "amount": nearest(rule.amount, amount),
        "amounts": dial.amounts.tolist(),
        "clipped": dial.clipped.tolist(),
        "hits": None if dial.hits is None else dial.hits.tolist(),
        "pairs": dial.pairs,
        "false": dial.false,
        "edges": dial.edges.tolist(),
        "histogram": dial.histogram.tolist(),
        "cut": base64.b64encode(np.ascontiguousarray(dial.cut, "<u4")).decode(),
        "aligned": rule.amount.field == "threshold",
        "scale": scale(),
        "colours": {
            "same": RELEVANT, "other": IRRELEVANT, "all": NEUTRAL, "precision": PRECISION, "recall": RECALL,
            "share": NEUTRAL,
        },
    }  # fmt: skip
    _component(key=key, data=sent, on_amount_change=moved)
