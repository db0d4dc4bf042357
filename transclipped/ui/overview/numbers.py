"""The pair of numbers beside the strip, and the inverted U as a small drawing."""

from __future__ import annotations

from html import escape

from transclipped.analysis.headline import Headline, InvertedU, K
from transclipped.datasets.images.decode import data_address
from transclipped.ui.styles import sheet
from transclipped.ui.theme import NEUTRAL, RELEVANT

STYLE = sheet(__file__)
WIDTH, HEIGHT, MARGIN = 240, 84, 8  # of the drawing


def pair(numbers: Headline) -> str:
    """mAP without and with clipping in large digits, and how much that is."""
    before, after = (f"{value:.3f}" for value in (numbers.without, numbers.clipped))
    sides = zip((before, after), ("no clipping", "clipping"), numbers.settings, strict=True)
    shown = '<span aria-hidden="true">→</span>'.join(
        f'<span class="side" title="{escape(setting, quote=True)}"><b>{value}</b><i>{name}</i></span>'
        for value, name, setting in sides
    )
    gain = f'<span class="gain">{numbers.gain:+.3f} mAP@{K}</span>'
    return f'{STYLE}<div class="pair">{shown}{gain}</div>'


def curve(u: InvertedU) -> str:
    """mAP over the amount of clipping, more of it left; no clipping is the dashed line and the right end."""
    best = max(range(len(u.values)), key=u.values.__getitem__)
    points = [*_points(u)]
    level, x = points[-1][1], points[best][0]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{RELEVANT}"/>' for x, y in points[:-1])
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<line x1="0" x2="{WIDTH}" y1="{level:.1f}" y2="{level:.1f}" stroke="{NEUTRAL}" stroke-dasharray="5 4"/>'
        f'<polyline points="{line}" fill="none" stroke="{RELEVANT}" stroke-width="2.4"/>{dots}'
        f'<circle cx="{points[-1][0]:.1f}" cy="{level:.1f}" r="3.6" fill="{NEUTRAL}"/></svg>'
    )
    what = (
        f"mAP@{u.k} over the amount of clipping: {u.without:.3f} without clipping, up to {u.values[best]:.3f} at "
        f"δ = {u.amounts[best]:g}, down to {u.values[0]:.3f} at δ = {u.amounts[0]:g}"
    )
    source = data_address(drawing.encode(), "image/svg+xml")
    best_at = f'<span style="left:{100 * x / WIDTH:.0f}%">{u.values[best]:.3f}</span>'
    ends = f"<span>{u.values[0]:.3f}</span><span>{u.without:.3f}</span>"
    axis = "<span>← more is clipped</span><span>no clipping</span>"
    return (
        f'<div class="curve"><div class="best">{best_at}</div><img alt="{what}" src="{source}">'
        f'<div class="ends">{ends}</div><div class="ends axis">{axis}</div></div>'
    )


def _points(u: InvertedU):
    """Places of the amounts, and last that of no clipping, at equal distances from left to right."""
    values = [*u.values, u.without]
    low, high = min(values), max(values)
    for i, value in enumerate(values):
        x = MARGIN + (WIDTH - 2 * MARGIN) * i / (len(values) - 1)
        yield x, MARGIN + (HEIGHT - 2 * MARGIN) * (high - value) / ((high - low) or 1)
