"""Component: the clipping slider, a histogram of similarities that the browser updates without the server.

histogram.js draws. It gets the library's counts at every slider position once and looks them up while the slider moves;
releasing the slider sends its position back.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import numpy as np
import streamlit as st

from transclipped.analysis.clipping.dials import Dial, nearest
from transclipped.clipping import RULES, turned
from transclipped.ui.components.component import component
from transclipped.ui.presenting import scale
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT

COLOURS = {"same": RELEVANT, "other": IRRELEVANT, "all": NEUTRAL, "share": NEUTRAL}
COLOURS |= {"precision": "#832db6", "recall": "#009e73"}
_component = component("histogram")


def draw(dial: Dial, *, amount: float, version: str, key: str, on_amount: Callable[[str, float], None]) -> None:
    """Draw the slider and the histogram of its batch.

    Args:
        amount: position of the slider.
        version: of the batch and the rule's other settings; a new one resets the slider to `amount`.
        on_amount: gets rule and position when the slider is released, before the page reruns.
    """
    rule = RULES[dial.rule]

    def moved() -> None:
        message = (st.session_state.get(key) or {}).get("amount")
        value = message.get("value") if isinstance(message, dict) and message.get("rule") in turned() else None
        if isinstance(value, int | float):
            on_amount(message["rule"], nearest(turned()[message["rule"]], float(value)))

    data = {
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
        "colours": COLOURS,
    }
    _component(key=key, data=data, on_amount_change=moved)
