"""The measured study: which clipping rule helps, how much of it, and what else matters.

A part (see `study_parts`) is a list of trials; a trial trains a linear head and a quantizer on cached features of a
frozen backbone and measures retrieval. Each result is a line of `<part>.jsonl`, written when it is there, so a study
that was stopped goes on where it was.
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


def study(parts: list[str], plan: Plan, *, device: str = "cpu") -> Iterator[Progress]:
    """Run what is left of the parts; results are lines of `<part>.jsonl` in the plan's folder.

    Raises:
        InputError: a part is unknown, or depends on another that is not done.
    """
    parts = named(parts)
    with hold(plan.out):
        yield from _study(parts, plan, device)


def _study(parts: list[str], plan: Plan, device: str) -> Iterator[Progress]:
    for part in parts:
        todo = left(part, plan)
        started = time.monotonic()
        for n, trial in enumerate(todo):
            yield Progress(f"study: {part}", n, len(todo), time.monotonic() - started)
            found = yield from measured(trial.config, every_search=trial.every_search, device=device)
            rounded = {name: round(value, 5) if isinstance(value, float) else value for name, value in found.items()}
            append_json_line(plan.out / f"{part}.jsonl", _setting(trial) | rounded)
        yield Progress(f"study: {part}", len(todo), len(todo), time.monotonic() - started)


def left(part: str, plan: Plan) -> list[Trial]:
    """Trials of a part that have no result yet.

    Raises:
        InputError: the part depends on another that is not done.
    """
    done = {result["key"] for result in results(plan.out, part)}
    return [trial for trial in PARTS[part](plan) if trial.key not in done]


def _setting(trial: Trial) -> dict[str, Any]:
    """What a line of results tells of its trial."""
    config = trial.config
    return {
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
