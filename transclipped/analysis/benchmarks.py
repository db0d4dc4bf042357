"""Measured runs side by side with published results: tables, curves, and their export.

Both have separate tables, since they come from other images, queries and machines.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from transclipped.clipping import amount_of, described
from transclipped.config import SIMCLR, WITHOUT_NEGATIVES, ClippingConfig, DataConfig, RunConfig
from transclipped.errors import InputError
from transclipped.runs.run import RunDir

SEARCHES = ("asymmetric", "symmetric", "float")
RANK = 100  # of the precision that the table shows


@dataclass(frozen=True)
class Row:
    """A run as a line of the table; shares in [0, 1], times in seconds, None where not measured.

    Attributes:
        clipping: the rule and how much, such as "threshold δ = 0.5".
        k: K of the mAP and of the recall.
        precision: at rank 100.
        recall: of all relevant images, within K.
        map_by_class: mean over classes of the mean AP of their queries.
        whole: False where training images, database or queries were limited.
    """

    run: str
    dataset: str
    protocol: str
    bits: int
    map: float | None
    map_tie_aware: float | None
    map_by_class: float | None
    precision: float | None
    recall: float | None
    bytes: int
    training_s: float | None
    measuring_s: float | None
    clipping: str
    backbone: str
    k: int
    database: int
    queries: int
    seed: int
    whole: bool


@dataclass(frozen=True)
class Reference:
    """A published number: method, task and source."""

    method: str
    network: str
    dataset: str
    protocol: str
    bits: int
    map: float
    source: str


_NETWORK = "VGG-16 at 224 pixels, GTX 1080 Ti, asymmetric search"
_SOURCE = "README of its public code, github.com/gimpong/AAAI22-MeCoQ (Wang et al., AAAI 2022, arXiv 2109.05205)"
REFERENCES = tuple(
    Reference("MeCoQ", _NETWORK, "cifar10", protocol, bits, value, _SOURCE)
    for protocol, values in {"I": (0.6882, 0.7024, 0.7024), "II": (0.6283, 0.6409, 0.6507)}.items()
    for bits, value in zip((16, 32, 64), values, strict=True)
)
DIFFERENCES = (
    "MeCoQ pools all 60,000 images and draws its queries at random; here the queries are the official test set, "
    "which no weights were trained on. Our bundled images are JPEG re-encodings. The numbers of the TransClippedCLR "
    "paper are missing, since its table is not public."
)


def row(run: RunDir, *, search: str = "asymmetric") -> Row | None:
    """A run as a line of the table; None if it was not measured. Raises InputError if a file is damaged."""
    metrics = run.metrics()
    if metrics is None:
        return None
    config = run.config
    try:
        result = metrics["modes"].get(search, {})
        seconds = metrics.get("seconds", {})
        return Row(
            run=run.name,
            dataset=config.data.dataset,
            protocol=protocol_of(config.data),
            bits=config.quantizer.bits,
            backbone=config.backbone.name,
            clipping=learned(config),
            map=result.get("map"),
            map_tie_aware=result.get("map_tie_aware"),
            map_by_class=_mean(result.get("per_class") or {}),
            precision=_at(result.get("precision"), RANK),
            recall=_at(result.get("recall"), metrics["k"]),
            k=metrics["k"],
            bytes=metrics["bytes_per_item"],
            database=metrics["n_database"],
            queries=metrics["n_queries"],
            training_s=seconds.get("training"),
            measuring_s=_sum(seconds.get("encoding"), seconds.get("measuring")),
            seed=config.seed,
            whole=not (config.data.train_limit or config.data.database_limit or config.data.query_limit),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{run.path / 'metrics.json'} lacks {error}; run `evaluate` on this run again") from error


def rows(runs: Iterable[RunDir], *, search: str = "asymmetric") -> tuple[list[Row], dict[str, str]]:
    """Lines of all measured runs, `in_order`, and an error message for each run that cannot be read."""
    lines, problems = [], {}
    for run in runs:
        try:
            lines.append(row(run, search=search))
        except InputError as error:
            problems[run.name] = str(error)
    return in_order(filter(None, lines)), problems


def in_order(lines: Iterable[Row]) -> list[Row]:
    """Sorted by data set, protocol, whole sets first, then code length, backbone and name."""
    return sorted(lines, key=lambda r: (r.dataset, r.protocol, not r.whole, r.bits, r.backbone, r.run))


def clipping_of(config: ClippingConfig) -> str:
    """Rule and amount in a few words."""
    return described(config.rule, amount_of(config))


def learned(config: RunConfig) -> str:
    """How a run learned, in a few words: clipping, and the objective unless it is SimCLR's."""
    objective = config.loss.objective
    words = [] if objective == SIMCLR else [objective]
    return ", ".join(words if objective in WITHOUT_NEGATIVES else [*words, clipping_of(config.clipping)])


def clips(config: RunConfig) -> bool:
    """Whether a run has a rule, and negatives to apply it to."""
    return config.clipping.rule != "none" and config.loss.objective not in WITHOUT_NEGATIVES


def protocol_of(data: DataConfig) -> str:
    """Name of the protocol, also where it is the data set's default."""
    return data.protocol or ("I" if data.dataset == "cifar10" else "default")


def table(lines: list) -> dict[str, list[Any]]:
    """Columns of lines or references, ready for a data frame."""
    if not lines:
        return {}
    return {field.name: [getattr(line, field.name) for line in lines] for field in fields(lines[0])}


def published() -> dict[str, list[Any]]:
    """Columns of the references, a line per method and protocol, mAP in a column per code length."""
    lines: dict[tuple, dict[int, float]] = {}
    for each in REFERENCES:
        lines.setdefault((each.method, each.network, each.dataset, each.protocol), {})[each.bits] = each.map
    heads = [dict(zip(("method", "network", "dataset", "protocol"), line, strict=True)) for line in lines]
    columns = {name: [head[name] for head in heads] for name in heads[0]}
    bits = sorted({each.bits for each in REFERENCES})
    return columns | {f"mAP, {b} bits": [values.get(b) for values in lines.values()] for b in bits}


def curve(metrics: dict[str, Any], kind: str, *, search: str) -> tuple[list[float], list[float]] | None:
    """Points of `precision` or `recall` over rank, or of `precision_recall`; None if not measured."""
    points = metrics.get("modes", {}).get(search, {}).get(kind)
    if not points:
        return None
    return (points["recall"], points["precision"]) if kind == "precision_recall" else (points["k"], points["value"])


def per_class(metrics_by_run: dict[str, dict[str, Any]], *, search: str) -> tuple[list[str], list[str], np.ndarray]:
    """Runs and classes that have mAP by class, and those values `[runs, classes]`, NaN where a run lacks a class.

    Args:
        metrics_by_run: metrics by name of the run.
    """
    by_run = {name: m.get("modes", {}).get(search, {}).get("per_class") or {} for name, m in metrics_by_run.items()}
    by_run = {name: values for name, values in by_run.items() if values}
    classes = list(dict.fromkeys(name for values in by_run.values() for name in values))
    cells = [[values.get(name, np.nan) for name in classes] for values in by_run.values()]
    return list(by_run), classes, np.array(cells, float).reshape(len(by_run), len(classes))


def without_clipping(run: RunDir, others: Iterable[RunDir]) -> RunDir | None:
    """The measured run like `run` that clips nothing; None if none exists, or `run` clips nothing itself.

    Like means the same images, backbone, codes, schedule and seed; the loss may differ, since each rule has its own
    best temperature.
    """
    return _counterpart(run, others, clipped=False) if clips(run.config) else None


def with_clipping(run: RunDir, others: Iterable[RunDir]) -> RunDir | None:
    """The measured run like `run`, which clips nothing, that clips; None if none exists, or `run` clips itself."""
    return None if clips(run.config) else _counterpart(run, others, clipped=True)


def _counterpart(run: RunDir, others: Iterable[RunDir], *, clipped: bool) -> RunDir | None:
    task = compared(run.config)
    for other in others:
        with suppress(InputError):
            same = clips(other.config) == clipped and compared(other.config) == task
            if same and other.metrics() is not None:
                return other
    return None


def alike(run: RunDir, others: Iterable[RunDir]) -> list[RunDir]:
    """Other runs on the same images in the same roles, those without clipping first among equals.

    Runs that differ only in clipping and loss come first, then those of the same backbone.
    """
    result = []
    for other in others:
        with suppress(InputError):
            if other.name != run.name and other.config.data == run.config.data:
                result.append(other)

    def difference(other: RunDir) -> tuple[bool, bool, bool]:
        theirs, ours = other.config, run.config
        return compared(theirs) != compared(ours), theirs.backbone != ours.backbone, theirs.clipping.rule != "none"

    return sorted(result, key=difference)


def compared(config: RunConfig) -> tuple:
    """The settings that runs share which differ in clipping and loss only, if they have the same objective."""
    return config.data, config.backbone, config.quantizer, config.schedule, config.seed, config.loss.objective


def _at(points: dict[str, list] | None, rank: int) -> float | None:
    if not points or rank not in points["k"]:
        return None
    return points["value"][points["k"].index(rank)]


def _mean(values: dict[str, float]) -> float | None:
    return sum(values.values()) / len(values) if values else None


def _sum(*parts: float | None) -> float | None:
    values = [part for part in parts if part is not None]
    return round(sum(values), 2) if values else None
