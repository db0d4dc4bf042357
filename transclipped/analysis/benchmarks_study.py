"""The study on the Benchmarks page: means over seeds with their interval, and mAP over the amount of clipping.

A result is a line of `<folder>/<part>.jsonl`, its settings beside the values or in a dictionary `setting`. Intervals
are Student's t at 95 % over seeds: wide for two seeds, undefined for one.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from transclipped.analysis.seeds import half_width
from transclipped.analysis.tables import BY, results
from transclipped.clipping import amount_for

UNCLIPPED = "none"


def parts(folder: Path) -> list[str]:
    """Parts of the study that have results, in order of presentation."""
    return [part for part in BY if _lines(folder, part)]


def frame(folder: Path, part: str) -> pd.DataFrame:
    """Results of a part, a row each; empty without results."""
    lines = [_flat(line) for line in _lines(folder, part) if isinstance(line, dict)]
    table = pd.DataFrame([line for line in lines if isinstance(line.get("map"), int | float)])
    return table.assign(label=table["label"].fillna(table["rule"])) if {"label", "rule"} <= set(table) else table


def means(results: pd.DataFrame, by: list[str], *, value: str = "map") -> pd.DataFrame:
    """Mean over seeds of a value: columns `by`, `n` seeds, `mean`, and `half` the interval (NaN for one seed).

    Args:
        by: columns that make a setting; missing ones are skipped.
    """
    by = [name for name in by if name in results]
    groups = results.dropna(subset=[value]).groupby(by, sort=False, dropna=False)[value]
    table = groups.agg(n="count", mean="mean", spread="std").reset_index()
    table["half"] = [half_width(spread, n) for n, spread in zip(table["n"], table["spread"], strict=True)]
    return table.drop(columns="spread")


def ranked(table: pd.DataFrame, name: str, within: list[str]) -> pd.DataFrame:
    """Means by value, the largest first in each group of the columns `within`; `gain` over the name "none" there."""
    within = [column for column in within if column in table]
    table = table.sort_values("mean", ascending=False, kind="stable")
    table = table.sort_values(within, kind="stable") if within else table
    base = table[table[name] == UNCLIPPED]
    if base.empty:
        return table
    if not within:
        return table.assign(gain=table["mean"] - base["mean"].iloc[0])
    base = base.groupby(within, sort=False)["mean"].first().rename("base").reset_index()
    merged = table.merge(base, on=within, how="left")
    return merged.assign(gain=merged["mean"] - merged["base"]).drop(columns="base")


def inverted_u(results: pd.DataFrame, rule: str, *, value: str = "map") -> tuple[pd.DataFrame, pd.DataFrame]:
    """(amount, temperature, n, mean, half) of a rule from weak to strong clipping, and the same of the rule "none"."""
    by, amount = ["temperature", "amount"], amount_for(rule)
    rising = amount is None or amount.rising
    lines = means(results[results["rule"] == rule], by, value=value)
    lines = lines.sort_values(["temperature", "amount"], ascending=[True, rising])
    return lines, means(results[results["rule"] == UNCLIPPED], ["temperature"], value=value)


def curve_rules(results: pd.DataFrame) -> list[str]:
    """Rules with results for at least two amounts, those with most amounts first."""
    counts = results[results["rule"] != UNCLIPPED].groupby("rule", sort=False)["amount"].nunique()
    return counts[counts > 1].sort_values(ascending=False, kind="stable").index.tolist()


def _lines(folder: Path, part: str) -> list:
    """Results of a part and of its sub-parts, such as rules-I and rules-II."""
    names = [part, *sorted(path.stem for path in folder.glob(f"{part}-*.jsonl"))]
    return [line for name in names for line in results(folder, name)]


def _flat(line: dict[str, Any]) -> dict[str, Any]:
    setting = line.get("setting")
    rest = {name: value for name, value in line.items() if name != "setting"}
    return (setting | rest) if isinstance(setting, dict) else rest
