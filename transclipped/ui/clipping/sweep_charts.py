"""The sweep's figure: mAP against the amount of clipping, growing as heads are trained."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from transclipped.clipping import RULES
from transclipped.experiments.lab.sweep import MARKED
from transclipped.ui.charts import set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import NEUTRAL, RELEVANT

BEHIND = {0.2: "#92dadd", 0.3: "#b9ac70", 0.5: "#e0a3c8"}  # colours of the precomputed temperatures
ADAPTIVE = "#832db6"
HEIGHT = 430
STYLES = ("solid", "dash", "dot", "dashdot")


def figure(rule: str, live: list[tuple[str, list[dict[str, Any]]]], behind: list[dict[str, Any]]) -> go.Figure:
    """mAP over the amount of a rule.

    Args:
        live: sweeps, (name, results), the one in front first.
        behind: precomputed results at several temperatures.
    """
    drawn = go.Figure()
    for temperature in sorted({result["temperature"] for result in behind}):
        _precomputed(drawn, rule, temperature, [r for r in behind if r["temperature"] == temperature])
    for place, (name, results) in reversed(list(enumerate(live))):
        _sweep(drawn, rule, name, results, STYLES[place % len(STYLES)], front=place == 0)
    amount = RULES[rule].amount
    more = "more is clipped →" if amount.rising else "← more is clipped"
    drawn = set_layout(drawn, f"{amount.symbol} ({more})", "mAP of retrieval", key=f"sweep {rule}")
    amounts = [r["amount"] for r in behind if r["rule"] == rule]
    amounts += [r["amount"] for _, results in live for r in results if r["rule"] == rule]
    if amounts:
        room = 0.08 * (max(amounts) - min(amounts) or 1)
        drawn.update_xaxes(range=[min(amounts) - room, max(amounts) + room])
    drawn.update_layout(legend={"orientation": "h", "y": -0.2, "yanchor": "top"}, margin={"b": 90})
    return drawn.update_layout(height=HEIGHT)


def landing(rule: str, result: dict[str, Any]) -> float | None:
    """Where a result of the adaptive rule stands on the axis of a rule: its mean δ, its share clipped, or its c."""
    stands = {"threshold": result["delta"], "fraction": result["clip_fraction"], "sigma": result["amount"]}
    return stands.get(RULES[rule].amount.field)


def _precomputed(drawn: go.Figure, rule: str, temperature: float, results: list[dict[str, Any]]) -> None:
    colour, group = BEHIND.get(temperature, NEUTRAL), f"τ {temperature:g}"
    curve = sorted((r for r in results if r["rule"] == rule), key=lambda r: r["amount"])
    if not curve:
        return
    drawn.add_scatter(
        x=[r["amount"] for r in curve], y=[r["map"] for r in curve], name=f"precomputed, τ = {temperature:g}",
        mode="lines+markers", legendgroup=group, line={"color": colour, "width": 4}, marker={"size": 5}, opacity=0.75,
        hovertemplate=f"precomputed, τ = {temperature:g}<br>{RULES[rule].amount.symbol} = %{{x:g}}: mAP %{{y:.3f}}"
        "<extra></extra>",
    )  # fmt: skip
    base = next((r["map"] for r in results if r["rule"] == "none"), None)
    if base is not None:
        drawn.add_scatter(
            x=[curve[0]["amount"], curve[-1]["amount"]], y=[base, base], mode="lines", legendgroup=group,
            showlegend=False, line={"color": colour, "width": 1.5, "dash": "dot"}, name=f"none, τ = {temperature:g}",
            hovertemplate=f"precomputed, τ = {temperature:g}<br>no clipping: mAP %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
    mark = next((r for r in results if (r["rule"], r["amount"]) == (MARKED.rule, MARKED.sigma)), None)
    if mark is not None and rule != "adaptive" and landing(rule, mark) is not None:
        drawn.add_scatter(
            x=[landing(rule, mark)], y=[mark["map"]], mode="markers", legendgroup=group, showlegend=False,
            name=f"adaptive, τ = {temperature:g}", marker={"symbol": "star-open", "size": 12, "color": colour},
            hovertemplate=f"precomputed, τ = {temperature:g}<br>adaptive: mAP %{{y:.3f}}<extra></extra>",
        )  # fmt: skip


def _sweep(drawn: go.Figure, rule: str, name: str, results: list[dict[str, Any]], dash: str, *, front: bool) -> None:
    group, size = name, 12 if front else 8
    label = "" if front else f", {for_plotly(name)}"
    base = next((r["map"] for r in results if r["rule"] == "none"), None)
    if base is not None:
        drawn.add_hline(base, line_dash="dash" if front else "dot", line_width=2, line_color=NEUTRAL)
        drawn.add_scatter(
            x=[None], y=[None], mode="lines", name=f"no clipping {base:.3f}{label}", legendgroup=group,
            line={"dash": "dash", "color": NEUTRAL, "width": 2},
        )  # fmt: skip
    curve = sorted((r for r in results if r["rule"] == rule), key=lambda r: r["amount"])
    if curve:
        drawn.add_scatter(
            x=[r["amount"] for r in curve], y=[r["map"] for r in curve], mode="lines+markers+text" if front
            else "lines+markers", text=[f"{r['map']:.3f}" for r in curve], textposition="top center",
            name=f"trained now{label}" if front else for_plotly(name), legendgroup=group, marker={"size": size},
            line={"color": RELEVANT, "width": 3.5 if front else 2, "dash": dash},
            customdata=[[100 * r["clip_fraction"], 100 * (r["clip_precision"] or 0)] for r in curve],
            hovertemplate=f"{RULES[rule].amount.symbol} = %{{x:g}}: mAP %{{y:.3f}}<br>%{{customdata[0]:.1f}} % of "
            "pairs clipped, %{customdata[1]:.0f} % of them false<extra></extra>",
        )  # fmt: skip
    mark = next((r for r in results if (r["rule"], r["amount"]) == (MARKED.rule, MARKED.sigma)), None)
    if mark is not None and landing(rule, mark) is not None:
        drawn.add_scatter(
            x=[landing(rule, mark)], y=[mark["map"]], mode="markers", legendgroup=group,
            name=f"adaptive, c = 2: {mark['map']:.3f}{label}",
            marker={"symbol": "star", "size": size + 5, "color": ADAPTIVE, "line": {"width": 1, "color": "white"}},
            hovertemplate="adaptive, c = 2, lands here: mAP %{y:.3f}<extra></extra>",
        )  # fmt: skip
