"""A pipeline as one line of text: read, checked, and written in its canonical form.

    head32 | gem(3) | l2 | pca(128) | l2 | dba(10) | pq(32) | qe(10)
    rrf(head32 | gem | l2 + stem16 | scda | l2) | k-reciprocal

Options are positional or named. The order is features, filters, one aggregation, transforms, augmentation, coding,
re-ranking; a fusion takes several such branches, and re-ranking may follow it. A line that begins after the features
takes vectors. The canonical form names every option, in a fixed order, and is its own canonical form.
"""

from __future__ import annotations

import inspect
import math
import pkgutil
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from transclipped import retrieval
from transclipped.errors import InputError, quoted
from transclipped.retrieval.stages import STAGES, Stage

LONGEST = 4096  # characters of a line
PRESETS = {
    "pyretri-caltech": "head32 | gem(3) | l2 | pca(512) | l2 | dba(10) | float | qe(10) | k-reciprocal(20, 6, 0.3)",
    "pyretri-indoor": "head32 | gem(3) | l2 | pca(512) | l2 | dba(10) | float | qe(10)",
    "utrl": "stem16 | utrl | l2 | float",
    "mpfa": "stem16 | mpfa(0.5) | mean | l2 | whiten | l2 | float",
    "selective": "select(head32 | gem | l2 | float + stem16 | scda | l2 | float)",
    "run": "run:hybrid-cifar10-32-clipped",
}
ACCEPTED = {  # what has been reached: kinds of stages that may follow
    "nothing": ("features", "transform", "augmentation", "coding", "fusion"),
    "maps": ("filter", "aggregation"),
    "vectors": ("transform", "augmentation", "coding", "reranking"),
    "augmented vectors": ("coding", "reranking"),
    "hits": ("reranking",),
}
REACHED = {"filter": "maps", "aggregation": "vectors", "transform": "vectors", "augmentation": "augmented vectors"}
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*)(?::([\w./~-]+))?\s*(?:\((.*)\))?", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A stage with all its options; a fusion also has branches."""

    name: str
    options: tuple[tuple[str, Any], ...]
    branches: tuple[Line, ...] = ()

    @property
    def stage(self) -> Stage:
        return STAGES[self.name]

    def __str__(self) -> str:
        named = dict(self.options)
        argument = f":{named.pop('name')}" if "name" in named else ""
        parts = [" + ".join(map(str, self.branches))] if self.branches else []
        parts += [f"{name}={_written(value)}" for name, value in named.items()]
        return f"{self.name}{argument}" + (f"({', '.join(parts)})" if parts else "")


@dataclass(frozen=True)
class Line:
    """Steps in order; `str` gives the canonical form."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.steps))

    @property
    def uses_labels(self) -> bool:
        """Whether a stage takes labels of the database as keywords."""
        return any(step.stage.uses_labels or any(b.uses_labels for b in step.branches) for step in self.steps)

    def first(self, kind: str) -> int | None:
        """Position of the first step of a kind."""
        return next((i for i, step in enumerate(self.steps) if step.stage.kind == kind), None)

    def prefixes(self) -> Iterator[tuple[Line, str]]:
        """Lines of the first steps that can rank, completed by `float`, with their last stage; the last is the line."""
        previous = None
        for i, step in enumerate(self.steps):
            for branch in step.branches:
                yield branch, branch.steps[-1].name
            prefix = None if _reached(step) == "maps" else _complete(self.steps[: i + 1])
            if prefix is not None and prefix != previous:
                yield prefix, step.name
            previous = prefix


@cache
def load_methods() -> None:
    """Import the folders of `retrieval`, which registers their stages."""
    for module in pkgutil.iter_modules(retrieval.__path__):
        if module.ispkg:
            import_module(f"{retrieval.__name__}.{module.name}")


def presets() -> dict[str, str]:
    """Lines by name, those of which all stages are registered."""
    load_methods()
    result = {}
    for name, text in PRESETS.items():
        with suppress(InputError):
            result[name] = str(_line(text))
    return result


def parse(text: str) -> Line:
    """The pipeline of a line, or of the name of a preset.

    Raises:
        InputError: brackets are unbalanced, a stage or option is unknown, in the wrong place or out of range.

    Examples:
        >>> from transclipped.retrieval.line import parse
        >>> str(parse("float"))
        'float'
    """
    load_methods()
    if len(text) > LONGEST:
        raise InputError(f"the pipeline has {len(text):,} characters; write at most {LONGEST:,}")
    return _line(PRESETS.get(text.strip(), text))


def _line(text: str, *, branch: bool = False) -> Line:
    if not text.strip():
        raise InputError("a pipeline or branch is empty; write stages with | between them, such as hybrid-vit | l2")
    parts = [part.strip() for part in _split(text, "|")]
    if not all(parts):
        raise InputError("a stage is empty; write one between every two |, and none at the ends")
    steps = tuple(_step(part, branch) for part in parts)
    reached, previous = "nothing", ""
    for step in steps:
        kind = step.stage.kind
        if kind not in ACCEPTED[reached] or (kind == "fusion" and branch):
            raise _misplaced(step, reached, previous)
        reached, previous = _reached(step), step.name
    if reached == "maps":
        raise InputError(f"the pipeline ends with maps; add an aggregation: {_names(('aggregation',))}")
    return _complete(steps)


def _complete(steps: tuple[Step, ...]) -> Line:
    """Insert `float` before re-ranking if there is no coding."""
    kinds = [step.stage.kind for step in steps]
    if "coding" in kinds or "fusion" in kinds:
        return Line(steps)
    end = kinds.index("reranking") if "reranking" in kinds else len(kinds)
    return Line((*steps[:end], _step("float", False), *steps[end:]))


def _reached(step: Step) -> str:
    stage = step.stage
    return stage.gives if stage.kind == "features" else REACHED.get(stage.kind, "hits")


def _misplaced(step: Step, reached: str, previous: str) -> InputError:
    kinds = ACCEPTED[reached]
    kind = step.stage.kind
    if kind == "fusion":
        return InputError(f"{step.name} fuses whole branches, so it can only be the first stage, and only once")
    place = f"after {previous}, which gives {reached}" if previous else "at the beginning"
    return InputError(f"{step.name} ({kind}) does not fit {place}; stages that do: {_names(kinds)}")


def _names(kinds: tuple[str, ...]) -> str:
    return ", ".join(name for name, stage in STAGES.items() if stage.kind in kinds) or "none is registered"


def _step(text: str, branch: bool) -> Step:
    match = _NAME.fullmatch(text)
    if not match:
        raise InputError(f"{quoted(text)} is not a stage; write a name, with options in brackets, such as gem(p=3)")
    name, argument, inside = match.groups()
    stage = STAGES[name]
    parts = [part.strip() for part in _split(inside, ",")] if inside and inside.strip() else []
    branches: tuple[Line, ...] = ()
    if stage.kind == "fusion":
        texts = list(_split(parts.pop(0), "+")) if parts else []
        if len(texts) < 2 or branch:
            raise InputError(f"{name} fuses two or more branches without fusions, such as {name}(A | l2 + B | l2)")
        branches = tuple(_line(part, branch=True) for part in texts)
    options = _options(name, stage, parts, argument)
    return Step(name, tuple(options.items()), branches)


def _options(name: str, stage: Stage, parts: list[str], argument: str | None) -> dict[str, Any]:
    """All options of a stage, in order; those not given have their default."""
    free = [option for option in stage.options if option != "name"]
    given: dict[str, Any] = {} if argument is None else {"name": argument}
    for position, part in enumerate(parts):
        option, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            if any("=" in earlier for earlier in parts[:position]) or position >= len(free):
                option = quoted(part) if position >= len(free) else "a positional option after a named one"
                raise InputError(f"{name} does not take {option}; its options are {', '.join(free) or 'none'}")
            option, value = free[position], option
        if option in given:
            raise InputError(f"{name} has the option {option} twice")
        if option not in free:
            raise InputError(f"{name} has no option {quoted(option)}; its options are {', '.join(free) or 'none'}")
        given[option] = value
    if unknown := given.keys() - stage.options.keys():
        raise InputError(f"{name} takes no {unknown.pop()} after a colon")
    required = [option for option, default in stage.options.items() if default is inspect.Parameter.empty]
    if missing := [option for option in required if option not in given]:
        example = f"{name}:NAME" if missing == ["name"] else f"{name}({missing[0]}=…)"
        raise InputError(f"{name} needs {', '.join(missing)}; write {example}")
    return {
        option: _value(f"{name}({option})", given[option], default, stage.bounds.get(option))
        if option in given
        else default
        for option, default in stage.options.items()
    }


def _value(what: str, text: str, default: Any, bounds: tuple[Any, ...] | None) -> Any:
    """An option's value of the type of its default; InputError if it is another, or out of bounds."""
    kind = str if default is inspect.Parameter.empty else float if default is None else type(default)
    value: Any = text
    if default is None and text == "none":
        return None
    if kind is bool:
        value = {"true": True, "false": False}.get(text.lower())
    elif kind in (int, float):
        value = _number(text, kind)
    if value is None or (kind is str and not re.fullmatch(r"[\w./~-]+", text)):
        expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a name")
        raise InputError(f"{what} is {quoted(text)}; write {expected}")
    if bounds and isinstance(bounds[0], str):
        if value not in bounds:
            raise InputError(f"{what} is {quoted(value)}; choose one of {', '.join(bounds)}")
    elif bounds and not bounds[0] <= value <= bounds[1]:
        raise InputError(f"{what} is {text[:40]}; choose from {_written(bounds[0])} to {_written(bounds[1])}")
    return value


def _number(text: str, kind: type) -> float | int | None:
    if len(text) > 40:
        return None
    if re.fullmatch(r"[+-]?\d+", text):
        return kind(text)
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value) or (kind is int and not value.is_integer()):
        return None
    return kind(value)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _split(text: str, separator: str) -> Iterator[str]:
    """Parts between separators outside brackets."""
    depth, start = 0, 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            raise InputError(f"the pipeline has a bracket ) without its ( near {quoted(text[max(0, i - 20) : i + 1])}")
        if depth == 0 and character == separator:
            yield text[start:i]
            start = i + 1
    if depth:
        raise InputError(f"the pipeline lacks {depth} closing bracket{'s' * (depth > 1)} )")
    yield text[start:]
