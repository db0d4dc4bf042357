"""How long a part of the study will take on this machine's processor, told before it begins.

Trials share what is encoded: of those on one backbone, the one that lacks most pictures counts for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from transclipped.config import BackboneConfig, RunConfig
from transclipped.experiments.study.ideas import register_ideas
from transclipped.experiments.study.parts import Plan
from transclipped.experiments.study.run import left
from transclipped.experiments.study.trial import session_of
from transclipped.training.estimate import Estimate, estimate


@dataclass(frozen=True)
class Ahead:
    """What is left of a part.

    Attributes:
        trials: that have no result yet.
        pictures: that are encoded first, or between trials on other backbones.
        first: seconds until the first result.
        seconds: until the last one.
    """

    trials: int
    pictures: int
    first: float
    seconds: float


def ahead(part: str, plan: Plan) -> Ahead:
    """Trials, pictures and seconds that a part will take; measures the machine's speed where that is not known yet.

    Raises:
        InputError: the part depends on another that is not done, or a backbone cannot be had.
    """
    register_ideas()
    todo = [replace(trial.config, seed=0) for trial in left(part, plan)]  # seeds take equally long
    if not todo:
        return Ahead(0, 0, 0.0, 0.0)
    found = {config: _estimated(config) for config in dict.fromkeys(todo)}
    most: dict[BackboneConfig, Estimate] = {}  # that lacks most pictures, of each backbone
    for config, each in found.items():
        most[config.backbone] = max(most.get(config.backbone, each), each, key=lambda e: e.work.pictures)
    first = found[todo[0]]
    return Ahead(
        trials=len(todo),
        pictures=sum(e.work.pictures for e in most.values()),
        first=first.encoding + first.training + first.measuring,
        seconds=sum(e.encoding for e in most.values()) + sum(found[c].training + found[c].measuring for c in todo),
    )


def _estimated(config: RunConfig) -> Estimate:
    session = session_of(config.data, config.backbone, "cpu")
    return estimate(config, session.images, session.split)
