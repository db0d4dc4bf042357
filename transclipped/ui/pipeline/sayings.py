"""The sentence to say about the Pipeline page."""

from __future__ import annotations

from collections.abc import Sequence

from transclipped.experiments.pipelines.pipeline import Rung
from transclipped.ui import light

GENERAL = "Retrieval is a chain of small steps: follow one wrong image from left to right and see where it leaves."
FLOW = "The lists alone say which images belong together: nobody looked at the images again."
FIXED = {"flow": FLOW, "light": light.SAYING}
SELECT = "Two good rankers gain most when they err differently; lists alone tell which ones are good."

WALK = "One frame may look like another place by chance; ten frames in a row rarely do."


def sentence(section: str, rungs: Sequence[Rung] | None) -> str:
    """Of the ladder, with the first and last AP of the query where it has labels."""
    if section in FIXED:
        return FIXED[section]
    first, last = rungs[0].ap, rungs[-1].ap
    if first is None or last is None or len(rungs) < 2:
        return GENERAL
    return f"{GENERAL} From the first to the last column AP goes from {first:.2f} to {last:.2f}."
