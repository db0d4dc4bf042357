"""Colours that stay the same on every page and for colour-blind eyes.

Classes: the ten-colour cycle of Petroff 2021, arXiv 2107.02270. Relevance is told by colour, line and mark.
"""

CLASS_COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
RELEVANT, IRRELEVANT, NEUTRAL = "#0072b2", "#d55e00", "#94a4a2"
MARKS = {True: "✓", False: "✗", None: ""}


def class_colour(index: int) -> str:
    """Colour of a class, repeating after ten."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def relevance_colour(relevant: bool | None) -> str:
    """Frame of a hit; grey where nobody knows."""
    return NEUTRAL if relevant is None else RELEVANT if relevant else IRRELEVANT
