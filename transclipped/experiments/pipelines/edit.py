"""Changes to a pipeline's line, a stage at a time; every result is a line that can be read."""

from __future__ import annotations

import inspect
from contextlib import suppress

from transclipped.errors import InputError
from transclipped.retrieval.advice import REBUILDING
from transclipped.retrieval.line import Line, parse
from transclipped.retrieval.stages import STAGES


def chips(line: Line) -> list[str]:
    """The steps of a line, each as text."""
    return [str(step) for step in line.steps]


def short(line: Line) -> list[str]:
    """Names of the steps, with the name of a run or a backbone, and without options."""
    return [
        ":".join([step.name, *(str(value) for name, value in step.options if name == "name")]) for step in line.steps
    ]


def without(line: Line, i: int) -> str:
    """The text of a line without its step i, which may be no pipeline."""
    return " | ".join(step for j, step in enumerate(chips(line)) if j != i)


def with_stage(line: Line | None, name: str) -> str | None:
    """A line with a stage at the last place where it fits; None if it fits nowhere."""
    steps = chips(line) if line is not None else []
    for i in range(len(steps), -1, -1):
        text = " | ".join([*steps[:i], name, *steps[i:]])
        with suppress(InputError):
            return str(parse(text))
    return None


def fitting(line: Line | None) -> dict[str, str]:
    """Stages that fit somewhere, as lines with them.

    Those that need a name or branches are left out, and a second one that rebuilds all lists.
    """
    result = {}
    rebuilt = line is not None and any(step.name in REBUILDING for step in line.steps)
    for name, stage in STAGES.items():
        if rebuilt and name in REBUILDING:
            continue
        if stage.kind != "fusion" and inspect.Parameter.empty not in stage.options.values():
            text = with_stage(line, name)
            if text is not None:
                result[name] = text
    return result
