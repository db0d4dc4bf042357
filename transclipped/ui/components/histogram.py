"""Component: the clipping slider, a histogram of similarities that the browser updates without the server.

histogram.js draws. It gets the library's counts at every slider position once and looks them up while the slider moves;
releasing the slider sends its position back.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from transclipped.analysis.clipping.dials import Dial, nearest
from transclipped.clipping import RULES, turned
from transclipped.experiments.lab.curves import MapCurve
from transclipped.ui.components.component import component
from transclipped.ui.glossary import TERMS
from transclipped.ui.presenting import lesson, scale
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT, pale

COLOURS = {"same": RELEVANT, "other": IRRELEVANT, "all": NEUTRAL, "share": NEUTRAL}
COLOURS |= {"precision": "#832db6", "recall": "#009e73"}
TIPS = {name: TERMS[term] for name, term in {"gain": "repulsion", "price": "repulsion", "map": "mAP@K"}.items()}
TIPS |= {name: TERMS[name] for name in ("precision", "recall")}
_component = component("histogram")


def draw(
    dial: Dial,
    *,
    amount: float,
    version: str,
    key: str,
    on_amount: Callable[[str, float], None],
    reached: MapCurve | None = None,
    figures: bool = True,
) -> None:
    """Draw the slider with its numbers, the histogram of its batch and the curves along the slider.

    Args:
        amount: position of the slider.
        version: of the batch and the rule's other settings; a new one resets the slider to `amount`.
        on_amount: gets rule and position when the slider is released, before the page reruns.
        reached: mAP of heads trained with the rule, if any were.
        figures: False draws the slider and its numbers alone.
    """

    def moved() -> None:
        message = (st.session_state.get(key) or {}).get("amount")
        value = message.get("value") if isinstance(message, dict) and message.get("rule") in turned() else None
        if isinstance(value, int | float):
            on_amount(message["rule"], nearest(turned()[message["rule"]], float(value)))

    data = {"version": version, "amount": nearest(RULES[dial.rule].amount, amount), "figures": figures}
    data |= {"reached": None if reached is None else _curve(reached, dial.amounts)}
    _component(key=key, data=_dial(dial) | _style() | data, on_amount_change=moved)


def _dial(dial: Dial) -> dict[str, Any]:
    """The rule and the counts at every position of its slider, for histogram.js."""
    rule = RULES[dial.rule]
    aligned = rule.amount.field == "threshold"
    return {
        "rule": dial.rule,
        "symbol": rule.amount.symbol,
        "rising": rule.amount.rising,
        "label": f"Clip {rule.does}",
        "text": f"clips {rule.does}",
        "amounts": dial.amounts.tolist(),
        "clipped": dial.clipped.tolist(),
        "hits": None if dial.hits is None else dial.hits.tolist(),
        "pairs": dial.pairs,
        "false": dial.false,
        "edges": dial.edges.tolist(),
        "histogram": dial.histogram.tolist(),
        "cut": base64.b64encode(np.ascontiguousarray(dial.cut, "<u4")).decode(),
        "aligned": aligned,
        "levels": None if aligned else _numbers(dial.level),
        "removed": None if dial.removed is None else [_numbers(side) for side in dial.removed.T],
    }


def _style() -> dict[str, Any]:
    """Size, colours and explanations, for histogram.js."""
    faint = {name: pale(COLOURS[name]) for name in ("same", "other", "all")}  # what is clipped
    return {"scale": scale(), "savable": not lesson(), "colours": COLOURS, "pale": faint, "tips": TIPS}


def _curve(reached: MapCurve, amounts: np.ndarray) -> dict:
    return {
        "values": _numbers(reached.at(amounts)),
        "trained": [[float(a), float(m)] for a, m in zip(reached.amounts, reached.maps, strict=True)],
        "none": reached.none,
        "name": f"mAP@{reached.k}",
        "text": f"of heads trained on the lab set with τ = {reached.temperature:g}, one per point, in advance",
    }


def _numbers(values: np.ndarray) -> list[float | None]:
    """The values for JSON, which has no NaN."""
    return [None if np.isnan(value) else round(float(value), 5) for value in values]
