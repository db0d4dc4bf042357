"""Tables of the study: one line a setting, mean and spread over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from transclipped.files import json_lines

BY = {  # part: what makes a line
    "curve": ["temperature", "rule", "amount"],
    "rules": ["protocol", "bits", "label", "amount", "temperature"],
    "ideas": ["label"],
    "batch": ["batch", "label"],
    "codes": ["bits", "label"],
    "backbone": ["label", "rule"],
}
VALUES = ("map", "map_tie_aware", "validation_map", "symmetric", "float", "soft", "clip_fraction", "clip_precision")


def results(folder: Path, part: str) -> list[dict[str, Any]]:
    """Results `<part>.jsonl` of a part so far; a torn last line is passed over."""
    return list(json_lines(folder / f"{part}.jsonl"))


def summary(folder: Path, part: str) -> pd.DataFrame:
    """Results of a part by setting: number of seeds, mean of every value, and `spread`, half the range of the mAP.

    Empty where nothing was measured.
    """
    found = pd.DataFrame(results(folder, part))
    if found.empty:
        return found
    groups = found.groupby(BY[part.partition("-")[0]], sort=False)
    table = groups[[name for name in VALUES if name in found]].mean()
    table.insert(0, "seeds", groups.size())
    table.insert(2, "spread", (groups["map"].max() - groups["map"].min()) / 2)
    return table.dropna(axis=1, how="all").reset_index()


def markdown(table: pd.DataFrame) -> str:
    """Markdown of a table, numbers with three digits after the point."""
    if table.empty:
        return "nothing measured yet"
    head = "| " + " | ".join(map(str, table.columns)) + " |"
    lines = [head, "|" + " --- |" * len(table.columns)]
    for row in table.itertuples(index=False):
        lines.append("| " + " | ".join(_cell(value) for value in row) + " |")
    return "\n".join(lines)


def _cell(value) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    return str(value)
