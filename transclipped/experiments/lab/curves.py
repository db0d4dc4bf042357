"""Precomputed curves of mAP over the amount of clipping, shown behind a live sweep: curves.json of the lab set.

Each result comes from `sweep.result_of` with seed 0; an interrupted computation resumes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from transclipped.clipping import amount_of, swept, with_amount
from transclipped.config import LossConfig, RunConfig
from transclipped.errors import InputError
from transclipped.experiments.lab.sweep import MARKED, result_of
from transclipped.features.labset import FOLDER, LabSet, lab_config
from transclipped.utils.files import read_json, write_json

FILE = "curves.json"
KEPT = ("rule", "amount", "temperature", "seed", "map", "k", "clip_fraction", "clip_precision", "delta", "seconds")


def compute(
    lab: LabSet,
    folder: Path,
    temperatures: tuple[float, ...],
    *,
    minutes: float | None = None,
    tell: Callable[[dict], None] = lambda result: None,
) -> None:
    """Train the heads that curves.json lacks, until `minutes` are over; `tell` gets each result."""
    started = time.monotonic()
    curves = load(folder) if (folder / FILE).exists() else []
    done = {(result["rule"], result["amount"], result["temperature"]) for result in curves}
    for config in _settings(lab, temperatures):
        if (config.clipping.rule, amount_of(config.clipping), config.loss.temperature) in done:
            continue
        if minutes is not None and time.monotonic() - started > 60 * minutes:
            return
        result = result_of(lab, config)
        curves.append({name: result[name] for name in KEPT})
        write_json(folder / FILE, curves)
        tell(result)


def load(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Results in curves.json; InputError if it is missing or damaged."""
    curves = read_json(folder / FILE)
    if not isinstance(curves, list) or not all(isinstance(r, dict) and set(KEPT) <= r.keys() for r in curves):
        raise InputError(f"{folder / FILE} holds no curves; delete it, then run `lab curves`")
    return curves


def _settings(lab: LabSet, temperatures: tuple[float, ...]) -> Iterator[RunConfig]:
    """All settings, beginning with the first figure's: none, thresholds and adaptive at every temperature."""
    tried = [(rule, value) for rule, amount in swept().items() for value in amount.tried]
    first = [("none", None), *(pair for pair in tried if pair[0] == "threshold"), (MARKED.rule, MARKED.sigma)]
    rest = [pair for pair in tried if pair not in first]
    nearest_first = sorted(temperatures, key=lambda temperature: abs(temperature - LossConfig().temperature))
    for pairs, order in ((first, temperatures), (rest, nearest_first)):
        for temperature in order:
            for rule, amount in pairs:
                yield lab_config(lab, clipping=with_amount(rule, amount), temperature=temperature)
