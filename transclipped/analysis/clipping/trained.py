"""What training with a suggested threshold gave: mAP from the stored study.

In the study, Otsu's method, a mixture of two normal distributions or the mean + 2σ of each anchor set a new threshold
for every batch, with one backbone, protocol, code length and temperature. Observed with labels, after training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from transclipped.analysis.benchmarks_study import UNCLIPPED, frame
from transclipped.utils.files import ASSETS

FOLDER = ASSETS / "study"
SETTINGS = ["temperature", "protocol", "bits", "backbone", "epochs", "batch"]  # that a comparison must share
VARIANTS = {"Otsu": "otsu", "Gaussian mixture": "mixture"}  # rule of the study, by name of a suggestion
ADAPTIVE, SIGMA = "mean + 2σ", 2.0


@dataclass(frozen=True)
class Trained:
    """mAP@1000 by suggestion, and without clipping (None if unknown), all else equal, at a temperature of the loss."""

    maps: dict[str, float]
    none: float | None
    temperature: float


def trained(folder: Path = FOLDER) -> Trained | None:
    """Results of the study for the suggestions; None if it has none of them."""
    ideas, curve = frame(folder, "ideas"), frame(folder, "curve")
    if ideas.empty or not {"rule", *SETTINGS} <= set(ideas):
        return None
    variants = ideas[ideas["rule"].isin(VARIANTS.values())]
    if variants.empty:
        return None
    setting = variants.iloc[0][SETTINGS]
    maps = {name: _mean(variants[variants["rule"] == rule], setting) for name, rule in VARIANTS.items()}
    none = None
    if {"rule", "amount", *SETTINGS} <= set(curve):
        maps[ADAPTIVE] = _mean(curve[(curve["rule"] == "adaptive") & (curve["amount"] == SIGMA)], setting)
        none = _mean(curve[curve["rule"] == UNCLIPPED], setting)
    maps = {name: value for name, value in maps.items() if value is not None}
    return Trained(maps, none, float(setting["temperature"]))


def _mean(results: pd.DataFrame, setting: pd.Series) -> float | None:
    """Mean mAP over seeds of the results with this setting; None if there are none."""
    same = results[(results[SETTINGS] == setting).all(axis=1)]
    return None if same.empty else float(same["map"].mean())
