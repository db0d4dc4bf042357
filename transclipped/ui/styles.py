"""Style sheets: `name.css` is next to the module `name.py` that draws the HTML."""

from __future__ import annotations

from pathlib import Path


def sheet(module: str | Path) -> str:
    """`name.css` of a module `name.py`, as an HTML element.

    Args:
        module: its `__file__`.
    """
    return f"<style>{Path(module).with_suffix('.css').read_text(encoding='utf-8')}</style>"
