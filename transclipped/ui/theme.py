"""Colours shared by all pages, distinguishable with colour blindness.

Classes: the ten-colour cycle of Petroff 2021, arXiv 2107.02270. Relevance is shown by colour, line style and mark.
"""

CYCLE = "3f90da ffa90e bd1f01 94a4a2 832db6 a96b59 e76300 b9ac70 717581 92dadd"
CLASS_COLOURS = tuple(f"#{colour}" for colour in CYCLE.split())
RELEVANT, IRRELEVANT, NEUTRAL = "#0072b2", "#d55e00", "#94a4a2"
MARKS = {True: "✓", False: "✗", None: ""}


def class_colour(index: int) -> str:
    """Colour of a class, repeating after ten."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def relevance_colour(relevant: bool | None) -> str:
    """Frame colour of a hit; grey if its relevance is unknown."""
    return NEUTRAL if relevant is None else RELEVANT if relevant else IRRELEVANT
