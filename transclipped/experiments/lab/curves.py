"""Precomputed curves of mAP over the amount of clipping, which stand behind a live sweep: curves.json of the lab set.

Each result is one of `sweep.result_of`, under seed 0; an interrupted computation goes on where it was.
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
    """Train what is missing of curves.json, until `minutes` are over."""
    started = time.monotonic()
    found = load(folder) if (folder / FILE).exists() else []
    done = {_identity(result) for result in found}
    for config in _settings(lab, temperatures):
        key = (config.clipping.rule, amount_of(config.clipping), config.loss.temperature)
        if key in done:
            continue
        if minutes is not None and time.monotonic() - started > 60 * minutes:
            return
        result = result_of(lab, config)
        found.append({name: result[name] for name in KEPT})
        write_json(folder / FILE, found)
        tell(result)


def load(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Results of curves.json.

    Raises:
        InputError: the file is missing or damaged.
    """
    found = read_json(folder / FILE)
    if not isinstance(found, list) or not all(isinstance(r, dict) and set(KEPT) <= r.keys() for r in found):
        raise InputError(f"{folder / FILE} holds no curves; delete it, then `lab curves` makes it again")
    return found


def _settings(lab: LabSet, temperatures: tuple[float, ...]) -> Iterator[RunConfig]:
    """The figure that is looked at first comes first: thresholds between none and adaptive, at every temperature."""
    tried = [(rule, value) for rule, amount in swept().items() for value in amount.tried]
    first = [("none", None), *(pair for pair in tried if pair[0] == "threshold"), (MARKED.rule, MARKED.sigma)]
    then = [pair for pair in tried if pair not in first]
    usual = sorted(temperatures, key=lambda temperature: abs(temperature - LossConfig().temperature))
    for tried, order in ((first, temperatures), (then, usual)):
        for temperature in order:
            for rule, amount in tried:
                yield lab_config(lab, clipping=with_amount(rule, amount), temperature=temperature)


def _identity(result: dict[str, Any]) -> tuple:
    return result["rule"], result["amount"], result["temperature"]
