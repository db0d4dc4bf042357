"""Pictures as a page shows them: crisp if tiny, smooth if large, framed by relevance."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

from transclipped.ui.theme import relevance_colour

SIDE = 128  # pixels of a tile's picture
FRAME = 6
DASH = 10  # pixels of a dash of the frame of an irrelevant hit


def framed(picture: Image.Image, relevant: bool | None) -> bytes:
    """PNG of a picture in a frame: solid blue if relevant, dashed orange if not, grey where nobody knows."""
    tile = Image.new("RGBA", (SIDE + 2 * FRAME, SIDE + 2 * FRAME))
    inside = scaled(picture)
    tile.paste(inside, ((tile.width - inside.width) // 2, (tile.height - inside.height) // 2))
    draw = ImageDraw.Draw(tile)
    colour = relevance_colour(relevant)
    draw.rectangle((0, 0, tile.width - 1, tile.height - 1), outline=colour, width=FRAME - 1)
    if relevant is False:
        _cut(draw, tile.width)
    buffer = io.BytesIO()
    tile.save(buffer, "PNG")
    return buffer.getvalue()


def scaled(picture: Image.Image) -> Image.Image:
    """At most 128 pixels a side: tiny pictures by whole multiples of their pixels, others smoothly."""
    times = SIDE // max(picture.size)
    if times > 1:
        return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
    small = picture.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return small


def _cut(draw: ImageDraw.ImageDraw, side: int) -> None:
    for start in range(DASH, side, 2 * DASH):
        for low in (0, side - FRAME + 1):
            draw.rectangle((start, low, start + DASH - 1, low + FRAME - 2), fill=(0, 0, 0, 0))
            draw.rectangle((low, start, low + FRAME - 2, start + DASH - 1), fill=(0, 0, 0, 0))
