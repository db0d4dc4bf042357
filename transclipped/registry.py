"""Registries of clipping rules, losses and backbones by name.

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
    """A dictionary in order of registration; an unknown name raises an InputError that suggests similar ones.

    Args:
        setting: that takes these names, such as "clipping.rule".
        part: builds the registered value from a function and the keywords of `register`; by default, the function.
    """

    def __init__(self, setting: str, part: Callable[..., Part] = lambda function: function) -> None:
        super().__init__()
        self._setting, self._part = setting, part

    def register(self, name: str, **facts: Any) -> Callable[[Function], Function]:
        """Decorator that registers a function as `name` and replaces an earlier one."""

        def add(function: Function) -> Function:
            self[name] = self._part(function, **facts)
            return function

        return add

    def __missing__(self, name: object) -> Part:
        near = difflib.get_close_matches(str(name), self, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(self)}"
        raise InputError(f"{self._setting} is {quoted(name)}; {hint}")
