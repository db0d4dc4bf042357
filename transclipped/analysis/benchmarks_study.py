"""The measured study as the Benchmarks page shows it: means over seeds with their interval, and the inverted U.

A result is a line of `<folder>/<part>.jsonl`; its settings lie beside the values, or in a dictionary `setting`.
The interval is Student's t at 95 % over seeds; two seeds give a wide one, one seed gives none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from transclipped.analysis.student import half_width
from transclipped.analysis.tables import BY, results
from transclipped.clipping import amount_for

UNCLIPPED = "none"


def parts(folder: Path) -> list[str]:
    """Parts of the study that have results, in the order they are told."""
    return [part for part in BY if _lines(folder, part)]


def frame(folder: Path, part: str) -> pd.DataFrame:
    """Results of a part, a line each; empty where there are none."""
    lines = [_flat(line) for line in _lines(folder, part) if isinstance(line, dict)]
    found = pd.DataFrame([line for line in lines if isinstance(line.get("map"), int | float)])
    return found.assign(label=found["label"].fillna(found["rule"])) if {"label", "rule"} <= set(found) else found


def means(found: pd.DataFrame, by: list[str], *, value: str = "map") -> pd.DataFrame:
    """Mean over seeds of a value for each setting.

    Args:
        by: columns that make a setting; those that are not there are left out.

    Returns:
        The columns `by`, `n` seeds, `mean`, and `half`, half the width of the interval (NaN for one seed).
    """
    by = [name for name in by if name in found]
    groups = found.dropna(subset=[value]).groupby(by, sort=False, dropna=False)[value]
    table = groups.agg(n="count", mean="mean", spread="std").reset_index()
    table["half"] = [half_width(spread, n) for n, spread in zip(table["n"], table["spread"], strict=True)]
    return table.drop(columns="spread")


def inverted_u(found: pd.DataFrame, rule: str, *, value: str = "map") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means of a rule over how much it clips, and of no clipping, each with its temperature.

    Returns:
        (amount, temperature, n, mean, half), from little clipping to much; and the same of the rule "none".
    """
    by, amount = ["temperature", "amount"], amount_for(rule)
    rising = amount is None or amount.rising
    lines = means(found[found["rule"] == rule], by, value=value)
    lines = lines.sort_values(["temperature", "amount"], ascending=[True, rising])
    return lines, means(found[found["rule"] == UNCLIPPED], ["temperature"], value=value)


def curve_rules(found: pd.DataFrame) -> list[str]:
    """Rules that were tried with at least two amounts, those with most first."""
    counts = found[found["rule"] != UNCLIPPED].groupby("rule", sort=False)["amount"].nunique()
    return counts[counts > 1].sort_values(ascending=False, kind="stable").index.tolist()


def _lines(folder: Path, part: str) -> list:
    """Results of a part and of what it was split into, such as rules-I and rules-II."""
    names = [part, *sorted(path.stem for path in folder.glob(f"{part}-*.jsonl"))]
    return [line for name in names for line in results(folder, name)]


def _flat(line: dict[str, Any]) -> dict[str, Any]:
    setting = line.get("setting")
    rest = {name: value for name, value in line.items() if name != "setting"}
    return (setting | rest) if isinstance(setting, dict) else rest
