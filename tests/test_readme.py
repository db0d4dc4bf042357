"""README keeps its word: commands that exist, files that exist, numbers that were measured."""

import re
import shlex
from pathlib import Path

import pytest

from tests.readme_tables import Sentence, measured
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


def test_measured_numbers_are_those_of_the_result_files():
    pages = {piece.file: piece.file.read_text(encoding="utf-8") for piece in measured()}
    stale = [piece for piece in measured() if piece.put_into(pages[piece.file]) != pages[piece.file]]
    told = "\n\n".join(f"{piece.file.relative_to(ROOT)} should say:\n{piece}" for piece in stale)
    assert not stale, f"`python -m tests.readme_tables --write` puts this right:\n\n{told}"


def test_stale_numbers_are_put_right_where_they_stand():
    for piece in measured():
        right, stale = str(piece), re.sub(r"0\.\d+", "9.999", str(piece))
        if isinstance(piece, Sentence):  # whose lines may break anywhere
            right, stale = (piece.words.format(*v).replace(" ", "\n") for v in (piece.values, ["9.999"] * 3))
        assert stale != right and piece.put_into(f"Before.\n\n{stale}\n\nAfter.\n") == f"Before.\n\n{right}\n\nAfter.\n"
        with pytest.raises(ValueError, match="has 0 places"):
            piece.put_into("Before.\n\nAfter.\n")
