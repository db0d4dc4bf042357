"""The report of a complete study, `README.md` in its folder.

Its numbers come from the results in the folder, the measured quality of the bundled backbones and the published
references. The text in `report.md` quotes a few runs that have no result file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from transclipped.analysis.benchmarks import REFERENCES, clipping_of
from transclipped.analysis.tables import markdown, results, summary
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.experiments.study.parts import FIELDS, PARTS, RANKED, SAME, SHARED, TRIED, VALIDATION, Plan
from transclipped.experiments.study.run import left
from transclipped.training.collapse import has_collapsed
from transclipped.utils.files import ASSETS, read_json, replacing

FILE = "README.md"
CLIPPED = ", clipped"  # end of a label
TEXT = Path(__file__).with_suffix(".md")  # the prose, with fields for tables and numbers


def write_report(folder: Path) -> Path:
    """Write the report into the folder of results.

    Raises:
        InputError: results are missing, or the folder is read-only.
    """
    text = report(folder)
    with replacing(folder / FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder / FILE


def report(folder: Path) -> str:
    """The report in Markdown.

    Raises:
        InputError: results are missing.
    """
    for part in PARTS:
        if missing := left(part, Plan(out=folder)):
            raise InputError(f"{folder} lacks {len(missing)} results of part {part}; run `study --part {part}` first")
    trials = [trial for part in PARTS for trial in results(folder, part)]
    published = {p: " / ".join(f"{each.map:.3f}" for each in REFERENCES if each.protocol == p) for p in ("I", "II")}
    return TEXT.read_text(encoding="utf-8").format(
        trials=len(trials),
        hours=sum(trial["training_s"] for trial in trials) / 3600,
        epochs={trial["protocol"]: trial["epochs"] for trial in trials if "protocol" in trial},
        validation=VALIDATION,
        ranked=RANKED,
        shared=SHARED,
        hybrid=read_json(ASSETS / "models" / "quality.json")["hybrid-vit"]["cifar10"],
        published=published,
        **_rules(folder),
        **_shared(folder),
        **_curve(folder),
        **_tables(folder),
        **_objectives(folder),
    )


def _rules(folder: Path) -> dict[str, str]:
    table = pd.concat(summary(folder, f"rules-{protocol}") for protocol in ("I", "II"))
    table = _by_value(table, table[table["protocol"] == "I"])
    table["rule"] = [
        _emphasised(label, f"{_setting('none' if label == SAME else label, amount)}, τ = {temperature:g}")
        for label, amount, temperature in _rows(table, "label", "amount", "temperature")
    ]
    table["set"] = [f"({protocol}) {bits} bits" for protocol, bits in _rows(table, "protocol", "bits")]
    columns = [f"({protocol}) {bits} bits" for protocol in ("I", "II") for bits in sorted(table["bits"].unique())]
    first = table[table["protocol"] == "I"]
    same = first[first["temperature"] == first[first["label"] == SAME]["temperature"].iloc[0]]
    return {
        "rules": _table(table, "rule", "set", columns),
        "gains": _gains(first, "none"),
        "gains_same": _gains(same, SAME),
    }


def _shared(folder: Path) -> dict[str, str]:
    table = summary(folder, "shared")
    table = _by_value(table, table)
    amounts = {trial["label"]: trial["amount"] for trial in results(folder, "shared")}
    table["rule"] = [_emphasised(label, _setting(label, amounts[label])) for label in table["label"]]
    table["length"] = [f"{bits} bits" for bits in table["bits"]]
    return {"one_temperature": _table(table, "rule", "length"), "gains_shared": _gains(table, "none")}


def _curve(folder: Path) -> dict[str, Any]:
    table = summary(folder, "curve")
    table["setting"] = [_setting(rule, amount) for rule, amount in _rows(table, "rule", "amount")]
    table["τ"] = [f"τ = {temperature:g}" for temperature in table["temperature"]]
    order = [_setting(rule, amount) for rule, amounts in TRIED.items() for amount in amounts]
    grid = table.pivot(index="setting", columns="τ", values="map").reindex(order)
    fixed, adaptive = (
        table[table["rule"] == rule].pivot(index="temperature", columns="amount", values="map")
        for rule in ("threshold", "adaptive")
    )
    return {
        "curve": markdown(grid.reset_index()),
        "best": ", ".join(f"{amount:g} at τ = {t:g}" for t, amount in fixed.idxmax(axis=1).items()),
        "loss": (adaptive.max(axis=1) - adaptive[2.0]).max(),
        "high": fixed[0.4].max(),
        "low": fixed[0.4].min(),
    }


def _tables(folder: Path) -> dict[str, str]:
    """The tables of the other sections."""
    backbones, ideas, batches = (summary(folder, part) for part in ("backbone", "ideas", "batch"))
    ideas = ideas.sort_values("map", ascending=False, kind="stable")
    backbones["head"] = [f"head: {rule}" for rule in backbones["rule"]]
    variants = {
        "variant": ideas["label"],
        "mAP@1000": _means(ideas),
        "clipped": [f"{share:.1%}" for share in ideas["clip_fraction"]],
        "same class among clipped": [f"{share:.0%}" for share in ideas["clip_precision"]],
    }
    batches = batches.pivot(index="label", columns="batch", values="map").loc[["none", "adaptive"]]
    codes = summary(folder, "codes")[["bits", "label", "map", "symmetric", "float", "soft"]]
    return {
        "backbones": _table(backbones, "label", "head", name="backbone"),
        "variants": markdown(variants),
        "batches": markdown(batches.rename_axis(index="batch size", columns=None).reset_index()),
        "codes": markdown(codes.rename(columns={"label": "clipping", "map": "asymmetric", "soft": "soft codes"})),
    }


def _objectives(folder: Path) -> dict[str, Any]:
    table = summary(folder, "objectives").sort_values("map", ascending=False, kind="stable")
    values, trials = table.set_index("label")["map"], pd.DataFrame(results(folder, "objectives"))
    seconds = trials.groupby("label")["training_s"].median()  # over seeds, since other work may slow a training down
    names = [label for label in values.index if f"{label}{CLIPPED}" in values]
    columns = {
        "objective": table["label"],
        "mAP@1000": _means(table),
        "clipped": [f"{share:.1%}" if share else "" for share in table["clip_fraction"]],
        "same class among clipped": [f"{p:.0%}" if p == p else "" for p in table["clip_precision"]],  # NaN: none
        "mean cosine": [f"{c:.2f}{' (collapsed)' * has_collapsed(c)}" for c in table["mean_cosine"]],
    }
    return {
        "objectives": markdown(columns),
        "objective_amount": trials.loc[trials["rule"] == "adaptive", "amount"].iloc[0],
        "objective_gains": ", ".join(f"{name} {values[name + CLIPPED] - values[name]:+.3f}" for name in names),
        "objective_seconds": f"{seconds.min():.0f} to {seconds.max():.0f}",
    }


def _by_value(table: pd.DataFrame, ranked: pd.DataFrame) -> pd.DataFrame:
    """The table with the label first that has the largest mAP at 32 bits in `ranked`."""
    value = ranked[ranked["bits"] == 32].set_index("label")["map"]
    return table.sort_values("label", key=lambda labels: -labels.map(value), kind="stable")


def _emphasised(label: str, text: str) -> str:
    """The text, bold for training without clipping."""
    return f"**{text}**" if label == "none" else text


def _setting(rule: str, amount: float) -> str:
    """Rule and amount, such as "threshold δ = 0.4"."""
    return clipping_of(ClippingConfig(rule=rule, **{FIELDS[rule]: amount}))


def _rows(table: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[column] for column in columns), strict=True)


def _means(table: pd.DataFrame) -> list[str]:
    return [f"{mean:.3f} ± {spread:.3f}" for mean, spread in _rows(table, "map", "spread")]


def _table(table: pd.DataFrame, row: str, column: str, columns: list[str] | None = None, *, name: str = "") -> str:
    """Mean ± spread, with a row and a column for each value of two columns, in the order of their first appearance."""
    cells = table.assign(cell=_means(table)).pivot(index=row, columns=column, values="cell")
    cells = cells.loc[table[row].unique(), columns or list(table[column].unique())]
    return markdown(cells.rename_axis(index=name or row, columns=None).reset_index())


def _gains(table: pd.DataFrame, without: str) -> str:
    """Best mean mAP less that of the label `without`, for each code length."""
    gains = table.groupby("bits")["map"].max() - table[table["label"] == without].set_index("bits")["map"]
    return ", ".join(f"{gain:.3f} at {bits}" for bits, gain in gains.items()) + " bits"
