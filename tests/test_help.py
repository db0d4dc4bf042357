"""Help of every command and Python version: 3.14 expands help texts on adding them, older ones on printing."""

import argparse
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from transclipped.cli import COMMANDS, _parser, main

ROOT = Path(__file__).resolve().parents[1]


def _parsers(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _parsers(inner)


def _output(code):
    """Standard output of a new Python process."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


ALL = list(_parsers(_parser()))


@pytest.mark.parametrize("parser", ALL, ids=lambda parser: parser.prog.removeprefix("python -m "))
def test_help_texts_print_and_expand(parser):
    assert parser.format_help().startswith("usage: ")
    formatter = parser._get_formatter()
    for action in parser._actions:
        for part in (action, *getattr(action, "_choices_actions", ())):  # subcommands have help texts too
            if part.help:
                formatter._expand_help(part)
    for text in (parser.description, parser.epilog, parser.usage):
        assert text is None or "%" not in text.replace("%(prog)s", "")


def test_all_commands_are_tested():
    names = {parser.prog.split()[-1] for parser in ALL}
    assert len(ALL) > 15 and {"train", "summary", "sweep", "backbones", "export"} <= names


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_prints_its_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: python -m transclipped {command} ")
    assert "--json" in text or command in ("lab", "pipeline")  # where the actions have it


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["search", "--help"], ["study", "--help"]])
def test_help_of_common_commands_imports_no_heavy_library(words):
    heavy = ("torch", "numpy", "timm", "faiss", "pandas")
    code = f"import sys; from transclipped.cli import main\ntry: main({words!r})\nexcept SystemExit: pass\n"
    code += f"print([name for name in {heavy!r} if name in sys.modules])"
    assert _output(code).splitlines()[-1] == "[]"


def test_the_help_of_the_study_names_every_part():
    from transclipped.cli.study import NAMES
    from transclipped.experiments.study.parts import PARTS

    assert NAMES.replace(" or ", ", ").split(", ") == list(PARTS)


def test_the_help_of_pretrain_names_the_defaults():
    from transclipped.experiments.pretrain.recipe import PretrainConfig

    [parser] = [parser for parser in ALL if parser.prog.endswith(" pretrain")]
    texts = {action.dest: action.help for action in parser._actions if "(default " in action.help}
    numbers = [field for field in fields(PretrainConfig) if type(field.default) in (int, float)]
    assert len(numbers) > 10
    assert all(texts[field.name].endswith(f"(default {field.default})") for field in numbers)


def test_a_command_imports_no_other():
    code = "import sys; from transclipped.cli import _parser; _parser(['bundle', '--run', 'x', '--out', 'y'])\n"
    code += "print(*sorted(name for name in sys.modules if name.startswith('transclipped.cli.')))"
    assert _output(code).split() == ["transclipped.cli.bundle", "transclipped.cli.options"]


def test_a_percent_sign_in_help_raises():
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", help="such as 95 % interval")
    with pytest.raises((TypeError, ValueError)):
        parser.format_help()
