"""Parts by name: their order, their facts, and what is said of a name that is not there."""

from dataclasses import dataclass

import pytest

from transclipped.errors import InputError
from transclipped.registry import Registry


def test_names_come_in_the_order_of_registration_and_the_last_of_a_name_wins():
    registry = Registry("stage.name")

    @registry.register("second")
    @registry.register("first")
    def function():
        return 1

    assert list(registry) == ["first", "second"] and registry["first"] is registry["second"] is function
    assert registry.register("first")(len) is len
    assert list(registry) == ["first", "second"] and registry["first"] is len
    assert "third" not in registry and registry.get("third") is None


def test_facts_go_into_the_part_and_the_function_stays_itself():
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
        ("adaptve", ["stage.name", "'adaptve'", "did you mean adaptive?", "adaptive, rank"]),
        ("xyz", ["'xyz'", "choose one of adaptive, rank"]),
        (None, ["None", "choose one of"]),
        ("x" * 500, ["xxx…"]),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, words):
    registry = Registry("stage.name")
    for known in ("adaptive", "rank"):
        registry.register(known)(len)
    with pytest.raises(InputError) as refused:
        registry[name]
    assert all(word in str(refused.value) for word in words)
