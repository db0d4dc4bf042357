"""Several seeds of one setting: mean and 95 % interval, as tables that a paper takes.

Runs whose settings differ in nothing but the seed make a line. The interval is Student's, of the mean. It tells of
the randomness in training alone (weights, batches), not of another draw of the queries or another data set.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from transclipped.analysis.references import cited
from transclipped.analysis.student import half_width
from transclipped.errors import InputError
from transclipped.flags import settings
from transclipped.runs.run import RunDir

COLUMNS = {  # what a table begins with, and the setting that it is
    "data set": "data.dataset",
    "backbone": "backbone.name",
    "bits": "quantizer.bits",
    "clipping": "clipping.rule",
}
MODES = ("asymmetric", "symmetric", "float")
SEED = "seed"


@dataclass(frozen=True)
class Interval:
    """Mean of n values and half the width of its 95 % interval; `half` is None for one value."""

    mean: float
    half: float | None
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.half is None else f"{self.mean:.3f} ± {self.half:.3f}"


@dataclass(frozen=True)
class Line:
    """Runs that differ in their seed alone.

    Attributes:
        settings: by path, without the seed.
        seeds, runs: of each run, by seed.
        values: interval by measure, such as "asymmetric"; K of mAP@K is `k`.
        commands: what repeats each run.
        cites: keys of `references`.
    """

    settings: dict[str, Any]
    seeds: tuple[int, ...]
    runs: tuple[str, ...]
    k: int
    values: dict[str, Interval]
    commands: tuple[str, ...]
    cites: tuple[str, ...]


def interval(values: Iterable[float]) -> Interval:
    """Mean and 95 % interval of the mean of one or more values."""
    found = [float(value) for value in values]
    n = len(found)
    mean = math.fsum(found) / n
    if n == 1:
        return Interval(mean, None, 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in found) / (n - 1))
    return Interval(mean, half_width(deviation, n), n)


def lines(runs: Iterable[RunDir]) -> list[Line]:
    """Runs grouped by setting, in the order in which they came.

    Raises:
        InputError: a run is not finished, or has no labels to measure by, or two are of one setting and one seed.
    """
    groups: dict[tuple, list[RunDir]] = {}
    for run in runs:
        _check(run)
        same = {path: value for path, value in settings(run.config).items() if path != SEED}
        groups.setdefault((*same.items(), ("K", run.metrics()["k"])), []).append(run)
    return [_line(sorted(group, key=lambda run: run.config.seed)) for group in groups.values()]


def table(found: list[Line]) -> pd.DataFrame:
    """A line a setting: what it is, further settings that differ between lines, seeds, and mAP with intervals."""
    varying = [
        path
        for path in found[0].settings
        if path not in COLUMNS.values() and len({str(line.settings[path]) for line in found}) > 1
    ]
    rows = []
    for line in found:
        row = {name: line.settings[path] for name, path in COLUMNS.items()}
        row |= {path: line.settings[path] for path in varying}
        row |= {"seeds": len(line.seeds), "K": line.k}
        row |= {f"mAP {mode}": str(line.values[mode]) for mode in MODES if mode in line.values}
        rows.append(row)
    return pd.DataFrame(rows)


def numbers(found: list[Line]) -> pd.DataFrame:
    """The same for programs: mean, half interval and number of seeds in columns of their own, all settings."""
    rows = []
    for line in found:
        row = {**line.settings, "seeds": " ".join(map(str, line.seeds)), "runs": " ".join(line.runs), "K": line.k}
        for mode, value in line.values.items():
            row |= {f"map_{mode}": value.mean, f"map_{mode}_half_95": value.half}
        rows.append(row)
    return pd.DataFrame(rows)


def latex(shown: pd.DataFrame) -> str:
    """LaTeX `tabular` of a table; needs no package."""
    rules = [{"selector": rule, "props": ":hline"} for rule in ("toprule", "midrule", "bottomrule")]
    styled = shown.style.format(lambda value: str(value).replace("±", r"$\pm$"), escape="latex", na_rep="")
    styled = styled.format_index(escape="latex", axis="columns").hide(axis="index").set_table_styles(rules)
    return styled.to_latex(column_format="l" * len(shown.columns))


def _check(run: RunDir) -> None:
    metrics = run.metrics()
    if metrics is None:
        raise InputError(f"{run.path} has not been measured; `train --run {run.path} --resume` finishes it")
    if metrics.get("modes", {}).get("asymmetric", {}).get("map") is None:
        raise InputError(f"{run.path} has no mAP, since its images have no labels; leave it out")


def _line(group: list[RunDir]) -> Line:
    seeds = [run.config.seed for run in group]
    if len(set(seeds)) < len(seeds):
        named = ", ".join(str(run.path) for run in group)
        raise InputError(f"{named} have the same settings and the same seed, so they are one result; leave one out")
    modes = [run.metrics()["modes"] for run in group]
    values = {mode: interval(found[mode]["map"] for found in modes) for mode in MODES if all(mode in f for f in modes)}
    config = group[0].config
    return Line(
        settings={path: value for path, value in settings(config).items() if path != SEED},
        seeds=tuple(seeds),
        runs=tuple(run.name for run in group),
        k=group[0].metrics()["k"],
        values=values,
        commands=tuple(run.record.get("command", "") for run in group),
        cites=tuple(cited(config)),
    )
