"""The style sheet of a module that draws HTML lies beside it."""

from __future__ import annotations

from pathlib import Path


def sheet(module: str | Path) -> str:
    """`name.css` beside `name.py`, as an HTML element.

    Args:
        module: its `__file__`.
    """
    return f"<style>{Path(module).with_suffix('.css').read_text(encoding='utf-8')}</style>"
