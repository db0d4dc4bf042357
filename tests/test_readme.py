"""README keeps its word: commands that exist, files that exist, numbers that were measured."""

import re
import shlex
from pathlib import Path

import pytest

from transclipped.cli import _parser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.S)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]
OURS = [line for line in LINES if line.startswith("python -m transclipped")]


def test_the_app_and_the_tests_take_one_command_each():
    assert "python -m pip install -r requirements.txt && python -m streamlit run app.py" in LINES
    assert "python -m pip install -r requirements.txt -r tests/requirements.txt && python -m pytest" in LINES


@pytest.mark.parametrize("line", OURS)
def test_commands_are_spelled_as_the_program_takes_them(line):
    words = shlex.split(line.partition(" #")[0].partition(" > ")[0])[3:]
    _parser().parse_args(words)


def test_modules_that_are_named_can_be_run():
    for module in re.findall(r"python -m (tests[.\w]+)", README):
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module


def test_files_that_are_linked_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
