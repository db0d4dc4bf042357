"""The help of every command, on every Python: 3.14 expands help texts when they are added, older ones when printed."""

import argparse

import pytest

from transclipped.cli import _parser


def _subcommands(parser):
    return [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]


def _parsers(parser):
    yield parser
    for action in _subcommands(parser):
        for inner in {id(p): p for p in action.choices.values()}.values():
            yield from _parsers(inner)


ALL = list(_parsers(_parser()))


@pytest.mark.parametrize("parser", ALL, ids=lambda parser: parser.prog.removeprefix("python -m "))
def test_help_prints(parser):
    assert parser.format_help().startswith("usage: ")


@pytest.mark.parametrize("parser", ALL, ids=lambda parser: parser.prog.removeprefix("python -m "))
def test_each_help_text_can_be_expanded_as_python_3_14_does(parser):
    formatter = parser._get_formatter()
    for action in [*parser._actions, *(a for s in _subcommands(parser) for a in s._choices_actions)]:
        if action.help:
            formatter._expand_help(action)
    for text in (parser.description, parser.epilog, parser.usage):
        assert text is None or "%" not in text.replace("%(prog)s", "")


def test_all_commands_are_looked_at():
    names = {parser.prog.split()[-1] for parser in ALL}
    assert len(ALL) > 15 and {"train", "summary", "sweep", "backbones", "export"} <= names


def test_a_percent_sign_would_be_seen():
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", help="such as 95 % interval")
    with pytest.raises((TypeError, ValueError)):
        parser.format_help()
