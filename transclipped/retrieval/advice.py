"""What is allowed in a pipeline, but seldom wise: stages that repeat or undo each other.

Sources: Hu et al. 2020, "PyRetri", arXiv 2005.02154 (expansion before k-reciprocal re-ranking); Jégou & Chum 2012,
"Negative evidences and co-occurrences in image retrieval" (principal axes between two normalisations).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from transclipped.retrieval.line import Line, Step

REBUILDING = ("k-reciprocal", "flow", "cprr")  # re-rankers that rebuild the lists of all items
SMOOTHING = ("dba", "smooth")  # items become means of their neighbours
EXPANDING = ("expand", "qe", "aqe", "rocchio")  # queries do
AXES = ("pca", "whiten", "svd")
EVEN = ("l2", "tpw", "rmac", "utrl", "standardise")  # give vectors of one length, or numbers on one scale
BY_LENGTH = ("float", "pq", "opq")  # codes whose scores grow with the length of vectors


def advice(line: Line) -> list[str]:
    """Sentences about stages of a line that do not go well together; the line ranks all the same."""
    first, after = line.steps[0], line.steps[1:]
    paths = [branch.steps for branch in first.branches] or [line.steps]
    rankings = [*paths, after] if first.branches else paths
    sentences = [sentence for steps in rankings for sentence in (*_rebuilt_twice(steps), *_expanded_late(steps))]
    for steps in paths:
        sentences += [*_lengths(steps), *_turned_twice(steps)]
        sentences += _smoothed((*steps, *after) if first.branches else steps)
    return list(dict.fromkeys(sentences))


def _rebuilt_twice(steps: Sequence[Step]) -> Iterator[str]:
    names = [step.name for step in steps if step.name in REBUILDING]
    if len(names) > 1:
        yield (
            f"{' and '.join(dict.fromkeys(names))} each make new lists of all items, so that the last one sees little "
            f"of the first ones' work; one of them is usually enough."
        )


def _expanded_late(steps: Sequence[Step]) -> Iterator[str]:
    rebuilt = ""
    for step in steps:
        if step.name in EXPANDING and rebuilt:
            yield f"{step.name} searches again, which discards the order that {rebuilt} has made; put it before."
        rebuilt = step.name if step.name in REBUILDING else rebuilt


def _smoothed(steps: Sequence[Step]) -> Iterator[str]:
    names = [step.name for step in steps]
    smooth, expand = ([name for name in names if name in group] for group in (SMOOTHING, EXPANDING))
    if smooth and expand and "flow" in names:
        yield f"{smooth[0]}, {expand[0]} and flow all average neighbours; together they may blur small classes."


def _turned_twice(steps: Sequence[Step]) -> Iterator[str]:
    white = any(step.name == "whiten" and dict(step.options)["power"] == 1 for step in steps)
    if white and (turning := [step.name for step in steps if step.name in ("opq", "itq")]):
        yield (
            f"{turning[0]} learns a rotation, but after full whitening all directions vary alike, so that there is "
            "nothing to balance; whiten(power=0.5) leaves it something."
        )


def _lengths(steps: Sequence[Step]) -> Iterator[str]:
    """Axes are learned from directions, and their coordinates compared as such."""
    for before, step, then in zip((None, *steps), steps, (*steps[1:], None), strict=False):
        if step.name not in AXES:
            continue
        if before is not None and before.name not in EVEN:
            yield f"{step.name} learns best from vectors of length 1; write l2 before it."
        if then is not None and then.name in BY_LENGTH:
            yield f"{step.name} changes lengths, which {then.name} would count; write l2 after it."
