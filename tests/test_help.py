"""The help of every command, on every Python: 3.14 expands help texts when they are added, older ones when printed."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from transclipped.cli import COMMANDS, _parser, main

ROOT = Path(__file__).resolve().parents[1]


def _subcommands(parser):
    return [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]


def _parsers(parser):
    yield parser
    for action in _subcommands(parser):
        for inner in {id(p): p for p in action.choices.values()}.values():
            yield from _parsers(inner)


def _printed(code):
    """Standard output of a Python process of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


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


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_prints_its_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: python -m transclipped {command} ")
    assert "--json" in printed or command == "lab"  # whose actions have it


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["search", "--help"], ["study", "--help"]])
def test_help_of_common_commands_waits_for_no_network_library(words):
    heavy = ("torch", "numpy", "timm", "faiss", "pandas")
    code = f"import sys; from transclipped.cli import main\ntry: main({words!r})\nexcept SystemExit: pass\n"
    code += f"print([name for name in {heavy!r} if name in sys.modules])"
    assert _printed(code).splitlines()[-1] == "[]"


def test_the_help_of_the_study_names_every_part():
    from transclipped.cli.study import NAMES
    from transclipped.experiments.study.parts import PARTS

    assert NAMES.replace(" or ", ", ").split(", ") == list(PARTS)


def test_a_command_imports_no_other():
    code = "import sys; from transclipped.cli import _parser; _parser(['bundle', '--run', 'x', '--out', 'y'])\n"
    code += "print(*sorted(name for name in sys.modules if name.startswith('transclipped.cli.')))"
    assert _printed(code).split() == ["transclipped.cli.bundle", "transclipped.cli.options"]


def test_a_percent_sign_would_be_seen():
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", help="such as 95 % interval")
    with pytest.raises((TypeError, ValueError)):
        parser.format_help()
