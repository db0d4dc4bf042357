"""Several seeds of one setting: mean and 95 % interval, as tables for a paper.

Runs that differ only in the seed make a line. The interval is Student's, of the mean: mean ± t · s / √n, t the 97.5 %
quantile for n − 1 degrees of freedom, s the sample's standard deviation. It covers the randomness of training
(weights, batches), not of the choice of queries or data set.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from transclipped.analysis.references import cited
from transclipped.errors import InputError
from transclipped.flags import settings
from transclipped.runs.run import RunDir

COLUMNS = {  # first columns of a table, and their settings
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
    """Runs that differ in their seed only.

    Attributes:
        settings: by path, without the seed.
        seeds, runs, commands: one for each run, by seed.
        values: interval by measure, such as "asymmetric"; K of mAP@K is `k`.
        cites: keys of `references`.
    """

    settings: dict[str, Any]
    seeds: tuple[int, ...]
    runs: tuple[str, ...]
    k: int
    values: dict[str, Interval]
    commands: tuple[str, ...]
    cites: tuple[str, ...]


def half_width(deviation: float, n: int) -> float:
    """Half the 95 % interval of the mean of `n` values with standard deviation `deviation`; NaN for fewer than two."""
    if n < 2:
        return math.nan
    from scipy.special import stdtrit  # scipy.stats takes three times as long to import

    return float(stdtrit(n - 1, 0.975)) * deviation / math.sqrt(n)


def interval(values: Iterable[float]) -> Interval:
    """Mean and 95 % interval of the mean of one or more values."""
    values = [float(value) for value in values]
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, None, 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Interval(mean, half_width(deviation, n), n)


def lines(runs: Iterable[RunDir]) -> list[Line]:
    """Runs grouped by setting, in order of first appearance.

    Raises:
        InputError: a run is unfinished or has no mAP, or two have the same setting and seed.
    """
    groups: dict[tuple, list[RunDir]] = {}
    for run in runs:
        _check(run)
        same = {path: value for path, value in settings(run.config).items() if path != SEED}
        groups.setdefault((*same.items(), ("K", run.metrics()["k"])), []).append(run)
    return [_line(sorted(group, key=lambda run: run.config.seed)) for group in groups.values()]


def table(lines: list[Line]) -> pd.DataFrame:
    """One row per setting: `COLUMNS`, further settings that differ, number of seeds, and mAP with intervals."""
    varying = [
        path
        for path in lines[0].settings
        if path not in COLUMNS.values() and len({str(line.settings[path]) for line in lines}) > 1
    ]
    rows = []
    for line in lines:
        row = {name: line.settings[path] for name, path in COLUMNS.items()}
        row |= {path: line.settings[path] for path in varying}
        row |= {"seeds": len(line.seeds), "K": line.k}
        row |= {f"mAP {mode}": str(line.values[mode]) for mode in MODES if mode in line.values}
        rows.append(row)
    return pd.DataFrame(rows)


def numbers(lines: list[Line]) -> pd.DataFrame:
    """The same for programs: all settings, and means and half intervals in separate columns."""
    rows = []
    for line in lines:
        row = {**line.settings, "seeds": " ".join(map(str, line.seeds)), "runs": " ".join(line.runs), "K": line.k}
        for mode, value in line.values.items():
            row |= {f"map_{mode}": value.mean, f"map_{mode}_half_95": value.half}
        rows.append(row)
    return pd.DataFrame(rows)


def latex(table: pd.DataFrame) -> str:
    """LaTeX `tabular` of a table; needs no package."""
    rules = [{"selector": rule, "props": ":hline"} for rule in ("toprule", "midrule", "bottomrule")]
    styled = table.style.format(lambda value: str(value).replace("±", r"$\pm$"), escape="latex", na_rep="")
    styled = styled.format_index(escape="latex", axis="columns").hide(axis="index").set_table_styles(rules)
    return styled.to_latex(column_format="l" * len(table.columns))


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
        raise InputError(f"{named} have the same settings and the same seed; leave one out")
    modes = [run.metrics()["modes"] for run in group]
    values = {mode: interval(m[mode]["map"] for m in modes) for mode in MODES if all(mode in f for f in modes)}
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
