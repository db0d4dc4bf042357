"""Registries: order, keywords, and the error for an unknown name."""

from dataclasses import dataclass

import pytest

from transclipped.errors import InputError
from transclipped.registry import Registry


def test_names_are_in_order_of_registration_and_the_last_function_wins():
    registry = Registry("stage.name")

    @registry.register("second")
    @registry.register("first")
    def function():
        return 1

    assert list(registry) == ["first", "second"] and registry["first"] is registry["second"] is function
    assert registry.register("first")(len) is len
    assert list(registry) == ["first", "second"] and registry["first"] is len
    assert "third" not in registry and registry.get("third") is None


def test_keywords_go_to_the_part_and_the_function_is_unchanged():
    @dataclass
    class Stage:
        function: object
        source: str = ""

    registry = Registry("stage.name", Stage)
    assert registry.register("gem", source="arXiv 1711.02512")(max) is max
    assert registry["gem"] == Stage(max, "arXiv 1711.02512")
    with pytest.raises(TypeError, match="colour"):
        registry.register("spoc", colour="red")(sum)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("adaptve", ["stage.name", "'adaptve'", "did you mean adaptive?"]),
        ("xyz", ["'xyz'", "choose one of adaptive, rank"]),
        (None, ["None", "choose one of"]),
        ("x" * 500, ["xxx…"]),
    ],
)
def test_error_for_an_unknown_name_suggests_similar_ones(name, words):
    registry = Registry("stage.name")
    for each in ("adaptive", "rank"):
        registry.register(each)(len)
    with pytest.raises(InputError) as caught:
        registry[name]
    assert all(word in str(caught.value) for word in words)
