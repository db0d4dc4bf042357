"""Drawings of the Overview page as HTML and SVG: one image's path to its code, and previews of other pages.

They inherit the text colour and font of the page, so they fit both themes and the projector.
"""

from __future__ import annotations

from html import escape
from math import sqrt

import numpy as np
from PIL import Image, ImageDraw

from transclipped.analysis.story import Pairs, Story
from transclipped.datasets.images.decode import data_address, data_url, square, to_png
from transclipped.ui.styles import sheet
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT, relevance_colour

SIDE = 128  # pixels of the image, at most
HIT, TINY = 64, 64  # pixels of a hit; and size up to which an image is magnified without smoothing
GAP = 2  # pixels between patches
LONGEST, FRAME = 1.6, 2  # longest side of an image, in units of SIDE; pixels of the frame in it
_RESAMPLING = {True: Image.Resampling.NEAREST, False: Image.Resampling.LANCZOS}  # by whether it is tiny
HITS = {True: "relevant hit", False: "irrelevant hit", None: "hit"}  # for screen readers
DRAWN = 4  # codebooks whose codewords are drawn
BORDER = "#cc79a7"  # line of the histogram, distinct from the colours of pairs
CNN, HYBRID, TRANSFORMER = "cnn", "hybrid", "transformer"
SEEN = {  # by kind of network: name of the step, and what the network makes of the image
    CNN: ("Positions", "The network turns {square} into {n} × {n} positions, each with a feature vector."),
    HYBRID: (
        "Places",
        "A small CNN turns {square} into {n} × {n} places, each compared with all others.",
    ),
    TRANSFORMER: ("Patches", "The network cuts {square} into {n} × {n} patches, each compared with all others."),
}
COLD, MIDDLE, WARM = (33, 102, 172), (247, 247, 247), (178, 24, 43)  # −1, 0 and 1, as on Codebooks
STYLE = sheet(__file__)


def stations(image: Image.Image, path: Story, *, image_size: int, stride: int, scale: float, kind: str) -> str:
    """Six drawings: image, patches, projection, sub-vectors, codewords, code.

    Args:
        image_size: pixels per side of the network's input.
        stride: pixels per side of a patch.
        scale: of the page, see `presenting.scale`.
        kind: of the network: `CNN`, `HYBRID` or `TRANSFORMER`.
    """
    m, d = path.parts.shape
    n = max(1, image_size // stride)
    flat = path.parts.ravel()
    numbers = ", ".join(f"{value:.2f}" for value in flat[:4]).replace("-", "−")
    projection = _stripe(flat, 34, "the embedding") + f'<span class="number">{numbers}, …</span>'
    parts = "".join(_stripe(part, 12, f"sub-vector {i}") for i, part in enumerate(path.parts, 1))
    name, seen = SEEN[kind]
    seen = seen.format(square="the image" if image.width == image.height else "the square inside the frame", n=n)
    projected = (
        f"The network computes an embedding, which a learned matrix projects to {m * d} numbers (blue below 0, red "
        "above); similar images get similar embeddings."
    )
    replaced = f"Each piece (top) is replaced by the most similar of {path.n_codewords} learned codewords (below)."
    steps = [
        ("Image", _whole(image, scale), "An image of this run. Training never sees its label."),
        (name, _patches(image, image_size, n, scale), seen),
        ("Projection", projection, projected),
        ("Sub-vectors", parts, f"Split into {m} pieces of {d} numbers, each scaled to length 1; 3 shows them scaled."),
        ("Codewords", _codewords(path), replaced),
        ("Code", _code(path), f"Only {m} bytes are stored; the {m * d} numbers would take {4 * m * d}."),
    ]
    items = "".join(
        f'<div class="station"><b><i>{i}</i>{name}</b><div class="drawing">{drawing}</div><p>{escape(text)}</p></div>'
        for i, (name, drawing, text) in enumerate(steps, 1)
    )
    return f'{STYLE}<div class="story"><div class="stations">{items}</div></div>'


def hits(image: Image.Image, hits: list[tuple[bytes, bool | None]], *, scale: float) -> str:
    """A query and its hits: encoded images, each with whether it shares a label; tiny ones without smoothing."""
    tiny = max(image.size) <= TINY
    side = max(image.size) * max(1, round(HIT * scale / max(image.size))) if tiny else round(HIT * scale)
    box = f"width:{side}px;height:{side}px;image-rendering:{'pixelated' if tiny else 'auto'}"
    framed = "".join(_framed(encoded, relevance_colour(relevant), HITS[relevant], box) for encoded, relevant in hits)
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    query = _framed(to_png(small), "currentColor", "the query", box)
    return f'<div class="preview"><div class="hits">{query} → {framed}</div></div>'


def histogram(pairs: Pairs) -> str:
    """Similarities of pairs, and where the most similar 5 % begin; heights are square roots, so that few pairs show.

    Colours as on Clipping: blue for one class, in front, orange for different classes, grey without labels.
    """
    behind = NEUTRAL if pairs.share is None else IRRELEVANT
    total, width = (pairs.same + pairs.other).max(initial=1), 100 / len(pairs.same)
    bars = ""
    for i, (same, other) in enumerate(zip(pairs.same.tolist(), pairs.other.tolist(), strict=True)):
        high, low = 40 * sqrt((same + other) / total), 40 * sqrt(same / total)
        bars += _rect(i * width, 40 - high, width * 0.92, high, behind)
        bars += _rect(i * width, 40 - low, width * 0.92, low, RELEVANT)
    at = 100 * (pairs.border - pairs.edges[0]) / (pairs.edges[-1] - pairs.edges[0])
    line = f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="40" stroke="{BORDER}" stroke-width="1.2"/>'
    shade = _rect(at, 0, 100 - at, 40, BORDER, opacity=0.2)
    what = f"histogram of the similarities of pairs; the most similar 5% are above {pairs.border:.2f}"
    return f'<div class="preview">{_svg(shade + bars + line, 100, 40, what)}</div>'


def sparkline(values: list[float]) -> str:
    """Values as a line from left to right that fills its box."""
    if len(values) < 2:
        return '<div class="preview"></div>'
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    points = " ".join(
        f"{100 * i / (len(values) - 1):.2f},{38 - 36 * (value - low) / span:.2f}" for i, value in enumerate(values)
    )
    line = f'<polyline points="{points}" fill="none" stroke="{RELEVANT}" stroke-width="1.4" stroke-linejoin="round"/>'
    return f'<div class="preview">{_svg(line, 100, 40, f"loss, from {values[0]:.2f} to {values[-1]:.2f}")}</div>'


def _whole(image: Image.Image, scale: float) -> str:
    """The image, and a frame around the square that the network sees; that square is as large as the patches."""
    side, short = int(SIDE * scale), min(image.size)
    factor = max(1, side // short) if max(image.size) <= side else side / short
    factor = min(factor, LONGEST * side / max(image.size))
    size = [max(1, round(length * factor)) for length in image.size]
    large = image.convert("RGB").resize(size, _RESAMPLING[max(image.size) <= TINY])
    if image.width != image.height:
        left, top = ((length - min(size)) // 2 for length in size)
        box = (left, top, left + min(size) - 1, top + min(size) - 1)
        ImageDraw.Draw(large).rectangle(box, outline=BORDER, width=FRAME)
    return _image(large, "the image")


def _patches(image: Image.Image, image_size: int, n: int, scale: float) -> str:
    """The square that the network sees, cut into n × n pieces."""
    seen = square(image, min(image_size, max(image.size)))
    most = int(SIDE * scale)
    side = max(1, image_size * (most // image_size) // n or most // n)  # of a patch on the screen
    crisp = side * n % seen.width == 0
    seen = seen.resize((side * n, side * n), Image.Resampling.NEAREST if crisp else Image.Resampling.BICUBIC)
    page = Image.new("RGBA", (side * n + GAP * (n - 1),) * 2)
    for row in range(n):
        for column in range(n):
            box = (column * side, row * side, (column + 1) * side, (row + 1) * side)
            page.paste(seen.crop(box), (column * (side + GAP), row * (side + GAP)))
    return _image(page, f"the image in {n} × {n} patches")


def _codewords(path: Story) -> str:
    text = ""
    for part, word, code, cosine in list(zip(path.parts, path.codewords, path.code, path.cosine, strict=True))[:DRAWN]:
        text += f'<div>{_stripe(part, 5, "sub-vector")}{_stripe(word, 5, "its codeword")}<span class="number">'
        text += f"codeword {int(code)}, cosine {cosine:.2f}</span></div>"
    more = len(path.parts) - DRAWN
    return text + (f'<span class="number">and {more} more</span>' if more > 0 else "")


def _code(path: Story) -> str:
    boxes = "".join(f"<span>{int(code)}</span>" for code in path.code)
    bits = " ".join(f"{int(code):08b}" for code in path.code)
    return f'<div class="bytes">{boxes}</div><div class="bits">{bits}</div>'


def _stripe(values: np.ndarray, height: float, what: str) -> str:
    """Numbers as a row of coloured cells; the largest absolute value has the full colour."""
    top = float(np.abs(values).max()) or 1.0
    cells = "".join(_rect(i, 0, 1.02, 1, _colour(value / top)) for i, value in enumerate(values.tolist()))
    return _svg(cells, len(values), 1, f"{what}, {len(values)} numbers", style=f"height:{height}px")


def _colour(value: float) -> str:
    end = WARM if value > 0 else COLD
    mixed = [round(middle + (tip - middle) * min(1.0, abs(value))) for middle, tip in zip(MIDDLE, end, strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _svg(content: str, width: int, height: int, what: str, *, style: str = "") -> str:
    """A drawing of `what` as an image, since Streamlit strips SVG out of HTML; stretched if it has a `style`."""
    stretched = ' preserveAspectRatio="none"' if style else ""
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"{stretched}>{content}</svg>'
    source = data_address(drawing.encode(), "image/svg+xml")
    return f'<img class="svg" alt="{what}" src="{source}" style="{style}">'


def _rect(x: float, y: float, width: float, height: float, colour: str, *, opacity: float = 1) -> str:
    faint = "" if opacity == 1 else f' opacity="{opacity}"'
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{colour}"{faint}/>'


def encoded_address(encoded: bytes) -> str:
    """Data URL of an encoded PNG, WebP or JPEG."""
    kind = "png" if encoded.startswith(b"\x89PNG") else "webp" if encoded[8:12] == b"WEBP" else "jpeg"
    return data_address(encoded, f"image/{kind}")


def _framed(encoded: bytes, colour: str, what: str, box: str) -> str:
    source = encoded_address(encoded)
    line = "dashed" if what == HITS[False] else "solid"
    return f'<img alt="{what}" src="{source}" style="{box};outline-color:{colour};outline-style:{line}">'


def _image(image: Image.Image, what: str) -> str:
    return f'<img alt="{what}" width="{image.width}" src="{data_url(image)}">'
