"""Parts of one kind by name, such as clipping rules, losses or backbones.

RULES = Registry("clipping.rule", Rule)

@RULES.register("rank", source="arXiv 2401.15362")
def rank(similarity, candidates, config): ...
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, TypeVar

from transclipped.errors import InputError, quoted

Part = TypeVar("Part")
Function = TypeVar("Function", bound=Callable[..., Any])


class Registry(dict[str, Part]):
    """A dictionary in the order of registration; `registry[name]` of an unknown name is an `InputError` with near ones.

    Args:
        setting: the setting whose value is a name of this registry, such as "clipping.rule".
        part: makes a part of a function and of the facts that its registration states; the function alone by default.
    """

    def __init__(self, setting: str, part: Callable[..., Part] = lambda function: function) -> None:
        super().__init__()
        self._setting, self._part = setting, part

    def register(self, name: str, **facts: Any) -> Callable[[Function], Function]:
        """Decorator that registers a function as `name`, in place of an earlier one."""

        def add(function: Function) -> Function:
            self[name] = self._part(function, **facts)
            return function

        return add

    def __missing__(self, name: object) -> Part:
        near = difflib.get_close_matches(str(name), self, 3)
        hint = f"did you mean {' or '.join(near)}? There are" if near else "choose one of"
        raise InputError(f"{self._setting} is {quoted(name)}; {hint} {', '.join(self)}")
