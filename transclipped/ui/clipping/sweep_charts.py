"""The figure of a sweep: mAP against the amount of clipping, growing as heads are trained.

More clipping is left for every rule. The values stand in a row above the curves, clear of all lines.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from transclipped.clipping import RULES
from transclipped.experiments.lab.sweep import MARKED
from transclipped.ui import theme
from transclipped.ui.charts import set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import NEUTRAL, RELEVANT

PRECOMPUTED = {0.2: "#92dadd", 0.3: "#b9ac70", 0.5: "#e0a3c8"}  # colours, by temperature
ADAPTIVE = "#832db6"
HEIGHT, LOW = 430, 310  # pixels; low where a class shall see all of it
FAINT, FAINTER = 0.75, 0.25  # opacity of precomputed curves, and of those at other temperatures
DASHES = ("solid", "dash", "dot", "dashdot")
Result = dict[str, Any]


def figure(
    rule: str,
    live: list[tuple[str, list[Result]]],
    precomputed: list[Result],
    *,
    temperature: float,
    pale: bool,
    height: int = HEIGHT,
) -> go.Figure:
    """mAP over the amount of a rule.

    Args:
        live: sweeps, (name, results), the emphasised one first.
        precomputed: results at several temperatures.
        temperature: of the emphasised sweep; once it has results, precomputed curves at others fade.
        pale: whether the emphasised sweep is of an earlier session.
    """
    figure, amount, first = go.Figure(), RULES[rule].amount, live[0][1] if live else []
    tried = [r for r in precomputed if r["rule"] != rule or r["amount"] in amount.tried]
    for tau in sorted({result["temperature"] for result in tried}):
        other, here = tau != temperature, [r for r in tried if r["temperature"] == tau]
        _precomputed(figure, rule, tau, here, opacity=FAINTER if first and other else FAINT, base=other or not first)
    for i, (name, results) in reversed(list(enumerate(live))):
        _sweep(figure, rule, name, results, DASHES[i % len(DASHES)], front=i == 0, pale=pale and i == 0)
    set_layout(figure, f"{amount.symbol} (← more is clipped)", "mAP of retrieval", key=f"sweep {rule}")
    amounts = [r["amount"] for results in (tried, *(r for _, r in live)) for r in results if r["rule"] == rule]
    if amounts:
        margin = 0.08 * (max(amounts) - min(amounts) or 1)
        ends = [min(amounts) - margin, max(amounts) + margin]
        figure.update_xaxes(range=ends[::-1] if amount.rising else ends)
    legend = {"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom"}
    return figure.update_layout(legend=legend, margin={"b": 90, "t": 34}, height=height)


def landing(rule: str, result: Result) -> float | None:
    """Position of an adaptive result on the axis of a rule: its mean δ, its clipped share, or its c."""
    positions = {"threshold": result["delta"], "fraction": result["clip_fraction"], "sigma": result["amount"]}
    return positions.get(RULES[rule].amount.field)


def _parts(rule: str, results: list[Result]) -> tuple[float | None, list[Result], Result | None]:
    """mAP without clipping, results of the rule by amount, and the adaptive one if it has a position on this axis."""
    base = next((r["map"] for r in results if r["rule"] == "none"), None)
    curve = sorted((r for r in results if r["rule"] == rule), key=lambda r: r["amount"])
    adaptive = next((r for r in results if (r["rule"], r["amount"]) == (MARKED.rule, MARKED.sigma)), None)
    return base, curve, adaptive if adaptive and landing(rule, adaptive) is not None else None


def _precomputed(
    figure: go.Figure, rule: str, temperature: float, results: list[Result], *, opacity: float, base: bool
) -> None:
    none, curve, adaptive = _parts(rule, results)
    if not curve:
        return
    colour, tau, symbol = PRECOMPUTED.get(temperature, NEUTRAL), f"τ = {temperature:g}", RULES[rule].amount.symbol
    xs, ys, group = [r["amount"] for r in curve], [r["map"] for r in curve], {"legendgroup": f"precomputed {tau}"}
    style = {"mode": "lines+markers", "line": {"color": colour, "width": 4}, "marker": {"size": 5}, "opacity": opacity}
    hover = f"precomputed, {tau}<br>{symbol} = %{{x:g}}: mAP %{{y:.3f}}<extra></extra>"
    figure.add_scatter(x=xs, y=ys, name=f"precomputed, {tau}", hovertemplate=hover, **style, **group)
    group["showlegend"] = False
    if none is not None and base:
        style = {"mode": "lines", "line": {"color": colour, "width": 1.5, "dash": "dot"}, "opacity": opacity}
        hover = f"precomputed, {tau}<br>no clipping: mAP %{{y:.3f}}<extra></extra>"
        figure.add_scatter(
            x=[xs[0], xs[-1]], y=[none, none], name=f"none, {tau}", hovertemplate=hover, **style, **group
        )
    if adaptive is not None and rule != "adaptive":
        style = {"mode": "markers", "marker": {"symbol": "star-open", "size": 12, "color": colour}, "opacity": opacity}
        hover = f"precomputed, {tau}<br>adaptive: mAP %{{y:.3f}}<extra></extra>"
        x, y = [landing(rule, adaptive)], [adaptive["map"]]
        figure.add_scatter(x=x, y=y, name=f"adaptive, {tau}", hovertemplate=hover, **style, **group)


def _sweep(
    figure: go.Figure, rule: str, name: str, results: list[Result], dash: str, *, front: bool, pale: bool
) -> None:
    base, curve, adaptive = _parts(rule, results)
    size, label, symbol = 12 if front else 8, "" if front else f", {for_plotly(name)}", RULES[rule].amount.symbol
    if base is not None:
        figure.add_hline(base, line_dash="dash" if front else "dot", line_width=2, line_color=NEUTRAL)
        style = {"mode": "lines", "line": {"dash": "dash", "color": NEUTRAL, "width": 2}}
        figure.add_scatter(x=[None], y=[None], name=f"no clipping {base:.3f}{label}", **style)
    if curve:
        figure.add_scatter(
            x=[r["amount"] for r in curve],
            y=[r["map"] for r in curve],
            mode="lines+markers",
            name=f"this sweep{', earlier' if pale else ''}" if front else for_plotly(name),
            marker={"size": size},
            line={"color": theme.pale(RELEVANT) if pale else RELEVANT, "width": 3.5 if front else 2, "dash": dash},
            customdata=[[100 * r["clip_fraction"], 100 * (r["clip_precision"] or 0)] for r in curve],
            hovertemplate=f"{symbol} = %{{x:g}}: mAP %{{y:.3f}}<br>%{{customdata[0]:.1f}}% of "
            "pairs clipped, %{customdata[1]:.0f}% of them false negatives<extra></extra>",
        )
    for r in curve if front else []:
        place = {"x": r["amount"], "xanchor": "center", "y": 1, "yref": "paper", "yanchor": "bottom"}
        figure.add_annotation(text=f"<b>{r['map']:.3f}</b>", showarrow=False, **place)
    if adaptive is not None:
        colour = theme.pale(ADAPTIVE) if pale else ADAPTIVE
        marker = {"symbol": "star", "size": size + 5, "color": colour, "line": {"width": 1, "color": "white"}}
        x, y, text = [landing(rule, adaptive)], [adaptive["map"]], f"adaptive, c = 2: {adaptive['map']:.3f}{label}"
        style = {"mode": "markers", "marker": marker}
        figure.add_scatter(x=x, y=y, name=text, hovertemplate="adaptive, c = 2: mAP %{y:.3f}<extra></extra>", **style)
