"""Runs the study: which clipping rule helps, how much of it, and what else matters.

A part (see `parts.py`) is a list of trials; a trial trains a linear head and a quantizer on cached features of a
frozen backbone and measures retrieval. Each result is appended to `<part>.jsonl`, so a stopped study can resume.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from transclipped.analysis.tables import results
from transclipped.experiments.study.parts import PARTS, Plan, Trial, named
from transclipped.experiments.study.trial import measured
from transclipped.features.cache import Progress
from transclipped.utils.files import append_json_line, hold

SHARED = {  # settings left out of a part's lines, since all its trials share them
    "objectives": ("part", "protocol", "bits", "batch", "epochs", "backbone", "temperature"),
}


def study(parts: list[str], plan: Plan, *, device: str = "cpu") -> Iterator[Progress]:
    """Run the missing trials of the parts; results are lines of `<part>.jsonl` in the plan's folder.

    Raises:
        InputError: a part is unknown, or depends on another with missing results.
    """
    parts = named(parts)
    with hold(plan.out):
        for part in parts:
            todo = left(part, plan)
            started = time.monotonic()
            for n, trial in enumerate(todo):
                yield Progress(f"study: {part}", n, len(todo), time.monotonic() - started)
                options = {"every_search": trial.every_search, "variant": trial.variant, "device": device}
                result = yield from measured(trial.config, **options)
                rounded = {name: round(x, 5) if isinstance(x, float) else x for name, x in result.items()}
                append_json_line(plan.out / f"{part}.jsonl", _setting(trial) | rounded)
            yield Progress(f"study: {part}", len(todo), len(todo), time.monotonic() - started)


def left(part: str, plan: Plan) -> list[Trial]:
    """Trials of a part without a result; InputError if the part depends on another with missing results."""
    done = {result["key"] for result in results(plan.out, part)}
    return [trial for trial in PARTS[part](plan) if trial.key not in done]


def _setting(trial: Trial) -> dict[str, Any]:
    """The settings in a line of results."""
    config = trial.config
    setting = {
        "v": 1,
        "key": trial.key,
        "part": trial.part,
        "label": trial.label,
        "rule": config.clipping.rule,
        "amount": trial.amount,
        "temperature": config.loss.temperature,
        "protocol": config.data.protocol,
        "bits": config.quantizer.bits,
        "batch": config.schedule.batch,
        "epochs": config.schedule.epochs,
        "seed": config.seed,
        "backbone": trial.label if trial.part == "backbone" else config.backbone.name,
    }
    return {name: value for name, value in setting.items() if name not in SHARED.get(trial.part, ())}
