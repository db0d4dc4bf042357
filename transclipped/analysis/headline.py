"""The headline: one pair of numbers in which nothing but the clipping rule differs, and its inverted U.

The pair comes from the study: heads of 32 bits on CIFAR-10 (I) and on a backbone that was trained without clipping.
Each rule has the amount and temperature, and the pair has the rule, that held-out training images chose; queries chose
nothing. Two bundled runs, `RUNS`, repeat the pair for one seed.

No pandas here: the first page does not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from pathlib import Path
from typing import Any

from transclipped.clipping import described
from transclipped.errors import InputError
from transclipped.utils.files import ASSETS, json_lines, read_json

STUDY, CURVES = ASSETS / "study", ASSETS / "lab" / "curves.json"
RUNS = ("distilled-cifar10-32-none", "distilled-cifar10-32-clipped")
DATA, BITS, K = "CIFAR-10", 32, 1000  # of the pair; K of its mAP@K
SWEPT, TEMPERATURE = "threshold", 0.3  # of the inverted U
COMMON = ("rule", "amount", "temperature", "backbone", "map")  # of every result
COUNTS = {1: "seed", 2: "two seeds", 3: "three seeds"}
ELSEWHERE = (
    "Other pairs gain less, or nothing, where the backbone was itself trained with clipping, as hybrid-vit was, and "
    "more where both rules share one temperature, as in the live sweep."
)


@dataclass(frozen=True)
class Headline:
    """The pair: mAP@K without and with clipping, each the mean over seeds.

    Attributes:
        without, clipped: mAP in [0, 1].
        gains: clipped − without for each seed.
        settings: of both, rule, amount and temperature in a few words.
        backbone: of both.
        temperature: τ without clipping; None where it is unknown.
    """

    without: float
    clipped: float
    gains: tuple[float, ...]
    settings: tuple[str, str]
    backbone: str
    temperature: float | None = None

    @property
    def gain(self) -> float:
        return self.clipped - self.without

    @property
    def claim(self) -> str:
        return f"Clipping raises mAP@{K} from {self.without:.3f} to {self.clipped:.3f}."

    @property
    def terms(self) -> str:
        """What both were measured on, and what differs."""
        seeds = COUNTS.get(len(self.gains), f"{len(self.gains)} seeds")
        return (
            f"Measured on {DATA} with the backbone {self.backbone}, {BITS}-bit codes and the same {seeds}; only the "
            "rule differs, each at its own best temperature."
        )

    @property
    def sentence(self) -> str:
        return f"{self.claim} {self.terms}"


@dataclass(frozen=True)
class InvertedU:
    """mAP over the amount of clipping, most clipping first.

    Attributes:
        amounts: δ, ascending; values: mAP of each.
        without: mAP without clipping.
        k: K of the mAP@K.
    """

    amounts: tuple[float, ...]
    values: tuple[float, ...]
    without: float
    k: int


def headline(folder: Path = STUDY) -> Headline | None:
    """The pair from the results of the study; None where they are missing."""
    tried = results(folder, "curve", "validation_map")
    if not tried:
        return None
    rule = max(tried, key=lambda line: line["validation_map"])["rule"]
    measured = [line for line in results(folder, "rules-I", "label", "bits", "seed") if line["bits"] == BITS]
    without, clipped = ({line["seed"]: line for line in measured if line["label"] == label} for label in ("none", rule))
    seeds = sorted(without.keys() & clipped.keys())
    if not seeds:
        return None
    pairs = [(without[seed]["map"], clipped[seed]["map"]) for seed in seeds]
    means = [fsum(values) / len(seeds) for values in zip(*pairs, strict=True)]
    gains = tuple(after - before for before, after in pairs)
    first = (without[seeds[0]], clipped[seeds[0]])
    return Headline(*means, gains, tuple(map(_setting, first)), first[0]["backbone"], first[0]["temperature"])


def inverted_u(file: Path = CURVES) -> InvertedU | None:
    """The precomputed curve of the live sweep; None where it is missing."""
    try:
        curves = read_json(file)
    except InputError:
        return None
    at = [line for line in curves if line["temperature"] == TEMPERATURE] if isinstance(curves, list) else []
    points = sorted((line["amount"], line["map"]) for line in at if line["rule"] == SWEPT)
    without = [line for line in at if line["rule"] == "none"]
    if not points or not without:
        return None
    amounts, values = zip(*points, strict=True)
    return InvertedU(amounts, values, without[0]["map"], without[0]["k"])


def results(folder: Path, part: str, *names: str) -> list[dict[str, Any]]:
    """Results of a part that have all of `COMMON` and `names`."""
    needed = {*COMMON, *names}
    return [line for line in json_lines(folder / f"{part}.jsonl") if isinstance(line, dict) and needed <= line.keys()]


def _setting(line: dict[str, Any]) -> str:
    amount = None if line["rule"] == "none" else line["amount"]
    return f"{described(line['rule'], amount)}, τ = {line['temperature']:g}"
