"""Code follows the formatter; where it may not, the reason stands beside."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = [
    ROOT / "app.py",
    *(path for name in ("pages", "transclipped", "tests") for path in (ROOT / name).rglob("*.py")),
]
BARE = re.compile(r"[\])}:,]\s+# fmt: (skip|off)")  # no comment before it


def bare(text: str) -> list[int]:
    """Lines that switch the formatter off without a reason."""
    return [number for number, line in enumerate(text.splitlines(), 1) if BARE.search(line)]


def test_the_formatter_is_switched_off_with_a_reason():
    assert {str(path.relative_to(ROOT)): lines for path in FILES if (lines := bare(path.read_text("utf-8")))} == {}


def test_a_missing_reason_is_noticed():
    skip = "# fmt: " + "skip"
    assert bare(f"a = (1,\n)  {skip}\nb = [1,\n]  # rows of a table  {skip}\n") == [2]
