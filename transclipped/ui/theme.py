"""Colours shared by all pages, legible in both themes and distinguishable with colour blindness.

Each has a contrast of at least 3:1 with the light and the dark background (WCAG 2.2, 1.4.11), so one palette serves
both themes. The class colours maximise, within that limit, the smallest OKLab distance between two of them as seen with
full colour vision, protanopia, deuteranopia and tritanopia (Machado et al. 2009, doi 10.1109/TVCG.2009.113); none is
grey, which stands for what is not selected. Relevance is shown by colour, line style and mark.
"""

CYCLE = "015eda f56701 58a34d b1249d 019be0 d12000 836eff 3b721e e55ec3 8d5568"
CLASS_COLOURS = tuple(f"#{colour}" for colour in CYCLE.split())
RELEVANT, IRRELEVANT, NEUTRAL = "#0072b2", "#d55e00", "#7c8a89"
FOCUS = "light-dark(#0072b2, #56b4e9)"  # of the ring around what has the focus: each theme's primaryColor
MARKS = {True: "✓", False: "✗", None: ""}


def pale(colour: str) -> str:
    """Colour of clipped items: on white as with an opacity of 0.4; on the dark background it still has 3:1."""
    light = (round(0.55 * int(colour[i : i + 2], 16) + 0.45 * 255) for i in (1, 3, 5))
    return f"rgba({', '.join(map(str, light))}, 0.7)"


def class_colour(index: int) -> str:
    """Colour of a class, repeating after ten."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def relevance_colour(relevant: bool | None) -> str:
    """Frame colour of a hit; grey if its relevance is unknown."""
    return NEUTRAL if relevant is None else RELEVANT if relevant else IRRELEVANT
