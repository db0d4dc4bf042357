"""What clipping gains in measured runs: mAP with clipping minus mAP without, with a 95 % interval.

A pair has the same images, backbone, codes, schedule and seed; besides the rule only the loss may differ, since each
rule has its own best temperature. With several seeds of a pair the interval is Student's over seeds; with one, over the
classes of the queries: how evenly classes gain, not how well the gain repeats.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from transclipped.analysis.baselines import CIFAR10, Setting
from transclipped.analysis.benchmarks import clips, compared, learned, protocol_of
from transclipped.analysis.headline import BITS, K
from transclipped.analysis.seeds import SEED, Interval, interval
from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.flags import settings
from transclipped.runs.run import RunDir

SEEDS, CLASSES = "seeds", "classes"


@dataclass(frozen=True)
class Gain:
    """A pair of settings, with and without clipping.

    Attributes:
        rule: with its amount.
        without, clipped: mAP@k, mean over seeds.
        gain: clipped − without; its `n` counts `over`: seeds or classes.
        runs: names without and with clipping, by seed.
    """

    rule: str
    backbone: str
    dataset: str
    protocol: str
    bits: int
    k: int
    without: float
    clipped: float
    gain: Interval
    over: str
    runs: tuple[tuple[str, str], ...]


def gains(runs: Iterable[RunDir], *, search: str = "asymmetric") -> list[Gain]:
    """All pairs among the runs, largest gain first; damaged and unmeasured runs are skipped."""
    measured = [item for run in runs if (item := _measured(run, search))]
    without = {}
    for item in measured:
        if not clips(item[1]):
            without.setdefault(compared(item[1]), item)
    groups: dict[tuple, list[tuple]] = {}
    for item in measured:
        rival = without.get(compared(item[1]))
        if clips(item[1]) and rival and rival[2]["k"] == item[2]["k"]:
            key = tuple((path, value) for path, value in settings(item[1]).items() if path != SEED)
            groups.setdefault(key, []).append((rival, item))
    return sorted((_gain(pairs, search) for pairs in groups.values()), key=lambda gain: -gain.gain.mean)


def start(gain: Gain) -> Setting | None:
    """The run without clipping of a pair, beside the headline's; None unless data, code length and K are its own."""
    data = f"{gain.dataset} {gain.protocol}"
    if (data, gain.bits, gain.k) != (CIFAR10, BITS, K):
        return None
    return Setting(f"{gain.without:.3f} of {gain.runs[0][0]}", gain.backbone, searched=None)


def looks(configs: dict[str, RunConfig]) -> dict[str, tuple[int, bool]]:
    """A number for each pair and whether a run of it clips nothing: one colour, solid and dashed.

    A second run of the same kind in a pair has a number of its own.
    """
    result: dict[str, tuple[int, bool]] = {}
    numbers: dict[tuple, int] = {}
    for name, config in configs.items():
        dashed, task = not clips(config), compared(config)
        number = numbers.setdefault(task, len(numbers))
        if (number, dashed) in result.values():
            number = numbers[(task, name)] = len(numbers)
        result[name] = (number, dashed)
    return result


def _measured(run: RunDir, search: str) -> tuple[str, RunConfig, dict[str, Any]] | None:
    """Name, configuration and metrics of a run with a mAP."""
    try:
        config, metrics = run.config, run.metrics()
    except InputError:
        return None
    value = ((metrics or {}).get("modes") or {}).get(search, {}).get("map")
    return (run.name, config, metrics) if isinstance(value, int | float) else None


def _gain(pairs: list[tuple], search: str) -> Gain:
    by_seed = {item[1].seed: (rival, item) for rival, item in reversed(pairs)}  # the first of equal ones
    pairs = [by_seed[seed] for seed in sorted(by_seed)]
    values = [[side[2]["modes"][search] for side in pair] for pair in pairs]
    gain, over = interval(after["map"] - before["map"] for before, after in values), SEEDS
    if gain.n == 1:
        before, after = (side.get("per_class") or {} for side in values[0])
        by_class = [after[name] - before[name] for name in before if name in after]
        if len(by_class) > 1:
            spread = interval(by_class)
            gain, over = Interval(gain.mean, spread.half, spread.n), CLASSES
    _, config, metrics = pairs[0][1]
    return Gain(
        rule=learned(config),
        backbone=config.backbone.name,
        dataset=config.data.dataset,
        protocol=protocol_of(config.data),
        bits=config.quantizer.bits,
        k=metrics["k"],
        without=interval(before["map"] for before, _ in values).mean,
        clipped=interval(after["map"] for _, after in values).mean,
        gain=gain,
        over=over,
        runs=tuple((rival[0], item[0]) for rival, item in pairs),
    )
