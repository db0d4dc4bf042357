"""Precomputed curves of mAP over the amount of clipping, shown behind a live sweep: curves.json of the lab set.

Each result comes from `sweep.result_of` with seed 0; an interrupted computation resumes. `reached` is the curve of one
rule over all positions of its slider.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transclipped.clipping import RULES, amount_of, swept, with_amount
from transclipped.config import LossConfig, RunConfig
from transclipped.errors import InputError
from transclipped.experiments.lab.sweep import MARKED, result_of
from transclipped.features.labset import FOLDER, LabSet, lab_config
from transclipped.utils.files import read_json, write_json

FILE = "curves.json"
FURTHER = {"threshold": (0.1, 0.0), "rank": (0.4, 0.5), "adaptive": (0.5, 0.0)}  # than `tried`, to the dial's end
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


@dataclass(frozen=True)
class MapCurve:
    """mAP@k of heads on the lab set over the amount of a rule, at one temperature.

    Attributes:
        amounts: `[n]` ascending; the last, or the first of a rising amount, is the end of the dial, without clipping.
        maps: `[n]` mAP at them; none: without clipping.
    """

    temperature: float
    k: int
    amounts: np.ndarray
    maps: np.ndarray
    none: float

    def at(self, amounts: np.ndarray | float) -> np.ndarray | float:
        """mAP at amounts, linearly between the trained ones; NaN beyond them."""
        return np.interp(amounts, self.amounts, self.maps, left=np.nan, right=np.nan)


def reached(results: list[dict[str, Any]], rule: str, temperature: float) -> MapCurve | None:
    """The curve of a rule at the trained temperature closest to τ; None if no head was trained with the rule."""
    of_rule = [r for r in results if r["rule"] == rule and r["amount"] is not None]
    bases = {r["temperature"]: r["map"] for r in results if r["rule"] == "none"}
    trained = [tau for tau in bases if any(r["temperature"] == tau for r in of_rule)]
    if not trained:
        return None
    tau = min(trained, key=lambda t: abs(t - temperature))
    here = [r for r in of_rule if r["temperature"] == tau]
    amount = RULES[rule].amount
    maps = {r["amount"]: r["map"] for r in here} | {amount.dial[0 if amount.rising else 1]: bases[tau]}
    amounts = np.array(sorted(maps))
    return MapCurve(tau, here[0]["k"], amounts, np.array([maps[a] for a in amounts]), bases[tau])


def _settings(lab: LabSet, temperatures: tuple[float, ...]) -> Iterator[RunConfig]:
    """All settings, beginning with the first figure's: none, thresholds and adaptive at every temperature."""
    amounts = {rule: (*amount.tried, *FURTHER.get(rule, ())) for rule, amount in swept().items()}
    tried = [(rule, value) for rule, values in amounts.items() for value in values]
    first = [("none", None), *(pair for pair in tried if pair[0] == "threshold"), (MARKED.rule, MARKED.sigma)]
    rest = [pair for pair in tried if pair not in first]
    nearest_first = sorted(temperatures, key=lambda temperature: abs(temperature - LossConfig().temperature))
    for pairs, order in ((first, temperatures), (rest, nearest_first)):
        for temperature in order:
            for rule, amount in pairs:
                yield lab_config(lab, clipping=with_amount(rule, amount), temperature=temperature)
