"""The strip of Overview: an anchor, its other view pulled in, five negatives pushed away, and the scissors.

HTML with an animation of a few seconds in strip.css; with reduced motion it shows the end at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from PIL import Image, ImageOps

from transclipped.analysis.story import Negatives
from transclipped.datasets.images.decode import square, to_png
from transclipped.ui.overview.story import encoded_address
from transclipped.ui.styles import sheet

STYLE = sheet(__file__)
SIDE = 64  # pixels of an image, before `scale`
CLASSES = {True: "same", False: "other", None: "unknown"}  # in strip.css
WHOSE = {True: "negative of the anchor's class", False: "negative of another class", None: "negative"}


@dataclass(frozen=True)
class Tile:
    """An image of the strip: encoded, with the name of its class, or ""."""

    encoded: bytes
    label: str


def strip(anchor: Tile, view: Tile, tiles: list[Tile], negatives: Negatives, *, scale: float, turn: int) -> str:
    """The strip as HTML.

    Args:
        tiles: of the negatives.
        scale: of the page, see `presenting.scale`.
        turn: another number plays the animation again.
    """
    figures = _figure(view, "view", "another view of the anchor", "its other view")
    figures += '<span class="pull" aria-hidden="true">→ ←</span>'
    figures += _figure(
        anchor, "anchor", f"the anchor {anchor.label}", f"anchor: {anchor.label}" if anchor.label else "anchor"
    )
    figures += '<span class="push" aria-hidden="true">→</span>'
    for tile, cosine, same, clipped in zip(tiles, negatives.cosine, negatives.same, negatives.clipped, strict=True):
        number = f"{cosine:.2f}".replace("-", "−")
        what = f"{WHOSE[same]} {tile.label}, cosine {number}, {'clipped' if clipped else 'pushed away'}"
        kind = f"negative {CLASSES[same]}{' clipped' * clipped}"
        figures += _figure(tile, kind, what, f"{tile.label} {number}", scissors=clipped)
    return f'{STYLE}<div class="strip" data-turn="{turn}" style="--side:{round(SIDE * scale)}px">{figures}</div>'


def mirrored(image: Image.Image) -> bytes:
    """Another view of an image, as training uses it: its mirror image."""
    return to_png(ImageOps.mirror(square(image, min(image.size))))


def explanation(negatives: Negatives) -> str:
    """What the strip shows, as `glossary.prose`."""
    n, own = len(negatives.rows), sum(map(bool, negatives.same))
    cut = sum(negatives.clipped)
    text = "Training pulls two [views](view) of the [anchor] together (→ ←) and pushes other images away (→), its "
    text += "[negatives](negative). "
    if own:
        share, what = ("shares", "a [false negative]") if own == 1 else ("share", "[false negatives](false negative)")
        text += f"Yet {own} of these {n} {share} the anchor's class (blue; orange: another class): {what}, pushed away "
        text += "by mistake. "
    if cut:
        text += "[Clipping](clipping) (✂) leaves out the most similar negatives, so nothing pushes them."
    return text


def _figure(tile: Tile, kind: str, what: str, caption: str, *, scissors: bool = False) -> str:
    mark = '<span class="scissors" aria-hidden="true">✂</span>' * scissors
    image = f'<img alt="{escape(what, quote=True)}" src="{encoded_address(tile.encoded)}">'
    return f'<figure class="{kind}"><div>{image}{mark}</div><figcaption>{escape(caption)}</figcaption></figure>'
