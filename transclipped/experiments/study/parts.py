"""The parts of the study, each a list of trials, and the choice of settings from the part `curve`.

| part       | varies                                                     | data, bits, seeds             |
| ---------- | ---------------------------------------------------------- | ----------------------------- |
| `curve`    | amount of clipping, at two or three temperatures           | (I), 32 bits, one seed        |
| `rules-I`  | the rule, each with its setting chosen from `curve`        | (I), 16/32/64 bits, three     |
| `rules-II` | the same, heads trained on 500 images per class            | (II), 16/32/64 bits, three    |
| `shared`   | the rule, all at one temperature, 0.3                      | (I), 16/32/64 bits, three     |
| `ideas`    | variants: other embeddings, thresholds, soft weights       | (I), 32 bits, three seeds     |
| `batch`    | batch size, 64 to 1,024                                    | (I), 32 bits, one seed        |
| `codes`    | soft, hard, asymmetric, symmetric, float                   | (I), 16/32/64, one seed       |
| `backbone` | CNN, distilled hybrid, hybrid trained with and without     | (I), 32 bits, three seeds     |
| `objectives` | what the head learns from, at equal epochs               | (I), 32 bits, three seeds     |

`curve` holds out 5,000 training images and uses their labels to choose a temperature and an amount for each rule; no
choice uses queries. The part `objectives` takes over the setting of `adaptive` at one temperature.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from transclipped.analysis.tables import results
from transclipped.clipping import RULES
from transclipped.config import (
    BackboneConfig,
    ClippingConfig,
    DataConfig,
    LossConfig,
    QuantizerConfig,
    RunConfig,
    ScheduleConfig,
)
from transclipped.errors import InputError
from transclipped.experiments.study.ideas import LEARNED, WIDTHS, soft_name
from transclipped.flags import arguments
from transclipped.models.zoo import CNN, DISTILLED, HYBRID

VALIDATION = 5000  # held-out training images of `curve`
EPOCHS = {"I": 4, "II": 40}  # about 800 steps of 256 images either way
TRIED = {  # amounts of each rule
    "none": (1.0,),  # written as δ = 1
    "debiased": (0.1,),
    "rank": (0.02, 0.05, 0.1, 0.2),
    "threshold": (0.7, 0.6, 0.5, 0.4, 0.3),
    "rank+threshold": (0.5, 0.4),  # of the 10 % most similar
    "adaptive": (2.5, 2.0, 1.5),
}
FIELDS = {rule: facts.amount.field for rule, facts in RULES.items() if facts.amount}  # of `ClippingConfig`
FIELDS |= {"none": "threshold", LEARNED: "fraction"}
CURVES = {0.2: tuple(TRIED), 0.3: tuple(TRIED), 0.5: ("none", "threshold", "adaptive")}  # temperature: rules
RANKED = 0.1  # q of rank+threshold, and of a learned quantile
SHARED = 0.3  # temperature of the part `shared`
SAME = "none, τ of adaptive"  # for the effect of clipping at equal temperature
BATCHES = (64, 128, 256, 512, 1024)
SHORT = ScheduleConfig(epochs=2)  # of the part `objectives`
NO_PREDICTOR = "no predictor"
TRIPLETS = {"HN": "hn", "Full-HN": "full", "Margin-HN": "margin"}  # rule by label
SEEDS = (0, 1, 2)
BITS = (16, 32, 64)


@dataclass(frozen=True)
class Plan:
    """The common settings of all trials of a study."""

    out: Path  # folder of results
    backbone: str = DISTILLED  # of all parts except `backbone`; NAME or NAME=FILE of weights
    others: dict[str, str] = field(default_factory=dict)  # more hybrids for the part `backbone`, label: file
    limit: int | None = None  # training, database and query images, None for all; for tests of the study itself


@dataclass(frozen=True)
class Trial:
    """A training to measure; `label` names it in tables, `variant` what no configuration of a run expresses."""

    part: str
    label: str
    config: RunConfig
    every_search: bool = False
    variant: str = ""  # `NO_PREDICTOR`, or a rule of triplets

    @property
    def key(self) -> str:
        """Hash of the trial's settings."""
        text = json.dumps([self.label, arguments(self.config), self.every_search])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def amount(self) -> float:
        """How much the rule clips."""
        clipping = self.config.clipping
        return getattr(clipping, FIELDS.get(clipping.rule, "sigma"))


def chosen(plan: Plan, *, temperature: float | None = None) -> dict[str, RunConfig]:
    """Each rule's setting with the best validation mAP in the part `curve`, at one temperature if given.

    Raises:
        InputError: results of that part are missing.
    """
    by_key = {result["key"]: result for result in results(plan.out, "curve")}
    keys = [trial.key for trial in _curve(plan)]
    if missing := sum(key not in by_key for key in keys):
        raise InputError(f"{plan.out} lacks {missing} results of the part curve; run `study --part curve` first")
    best: dict[str, dict[str, Any]] = {}
    for result in (by_key[key] for key in keys):
        rule = result["rule"]
        if temperature in (None, result["temperature"]) and (
            rule not in best or result["validation_map"] > best[rule]["validation_map"]
        ):
            best[rule] = result
    return {rule: _config(rule, result["amount"], result["temperature"]) for rule, result in best.items()}


def _config(rule: str, amount: float, temperature: float) -> RunConfig:
    clipping = ClippingConfig(rule=rule, **{FIELDS[rule]: amount})
    if rule == "rank+threshold":
        clipping = replace(clipping, fraction=RANKED)
    return RunConfig(clipping=clipping, loss=LossConfig(temperature=temperature))


def _on(
    plan: Plan, config: RunConfig, *, backbone: str | None = None, bits: int = 32, seed: int = 0, **data
) -> RunConfig:
    """The configuration with a backbone (by default, the plan's) and data (by default, protocol I)."""
    name, _, weights = (backbone or plan.backbone).partition("=")
    few = {f"{role}_limit": plan.limit for role in ("train", "database", "query")}
    data = DataConfig(**{"protocol": "I", **few, **data})
    return replace(
        config,
        backbone=BackboneConfig(name=name, weights=weights or None),
        quantizer=QuantizerConfig(bits=bits),
        data=data,
        schedule=ScheduleConfig(epochs=EPOCHS[data.protocol]),
        seed=seed,
    )


def _curve(plan: Plan) -> list[Trial]:
    grid = [(rule, a, t) for t, rules in CURVES.items() for rule in rules for a in TRIED[rule]]
    return [Trial("curve", r, _on(plan, _config(r, a, t), validation=VALIDATION)) for r, a, t in grid]


def _rules(plan: Plan, protocol: str) -> list[Trial]:
    """Each rule at its best temperature, and none also at the best one of `adaptive`."""
    settings = chosen(plan)
    settings[SAME] = replace(settings["none"], loss=settings["adaptive"].loss)
    return [
        Trial("rules", label, _on(plan, config, bits=bits, seed=seed, protocol=protocol))
        for bits in (32, 16, 64)
        for seed in SEEDS
        for label, config in settings.items()
    ]


def _shared_temperature(plan: Plan) -> list[Trial]:
    """All rules at one temperature, so that only clipping differs."""
    settings = chosen(plan, temperature=SHARED)
    return [
        Trial("shared", rule, _on(plan, settings[rule], bits=bits, seed=seed))
        for bits in (16, 32, 64)
        for seed in SEEDS
        for rule in ("none", "rank", "threshold", "adaptive")
    ]


def _ideas(plan: Plan) -> list[Trial]:
    adaptive = chosen(plan)["adaptive"]

    def clips(**changes: Any) -> RunConfig:
        return replace(adaptive, clipping=replace(adaptive.clipping, **changes))

    ideas = {
        "adaptive": adaptive,
        "adaptive on continuous embeddings": clips(on="continuous"),
        "adaptive on the backbone's": clips(on="backbone"),
        "mixture of two normals": clips(rule="mixture"),
        "Otsu": clips(rule="otsu"),
        "adaptive, clamped": clips(treatment="clamp"),
        "adaptive, from epoch 1": clips(start=1.0, full=1.0),
        f"learned quantile, q = {RANKED:g}": clips(rule=LEARNED, fraction=RANKED),
    }
    for width in WIDTHS:
        soft = replace(adaptive.loss, name=soft_name(width))
        ideas[f"adaptive, soft weights, T = {width:g}"] = replace(adaptive, loss=soft)
    return [Trial("ideas", label, _on(plan, config, seed=seed)) for seed in SEEDS for label, config in ideas.items()]


def _batch(plan: Plan) -> list[Trial]:
    trials = []
    for batch in BATCHES:
        for rule in ("none", "adaptive"):
            config = _on(plan, chosen(plan)[rule])
            trials.append(Trial("batch", rule, replace(config, schedule=replace(config.schedule, batch=batch))))
    return trials


def _codes(plan: Plan) -> list[Trial]:
    return [
        Trial("codes", rule, _on(plan, chosen(plan)[rule], bits=bits), every_search=True)
        for bits in BITS
        for rule in ("none", "adaptive")
    ]


def _backbone(plan: Plan) -> list[Trial]:
    named = {CNN: CNN, DISTILLED: DISTILLED, HYBRID: HYBRID}
    named |= {label: f"{HYBRID}={file}" for label, file in plan.others.items()}
    return [
        Trial("backbone", label, _on(plan, chosen(plan)[rule], backbone=spec, seed=seed), every_search=seed == 0)
        for seed in SEEDS
        for label, spec in named.items()
        for rule in ("none", "adaptive")
    ]


def _objectives(plan: Plan) -> list[Trial]:
    settings = chosen(plan, temperature=SHARED)
    none, clipped = settings["none"], settings["adaptive"]

    def learns(objective: str, config: RunConfig = none) -> RunConfig:
        return replace(config, loss=replace(config.loss, objective=objective))

    variants = {
        "NT-Xent": (none, ""),
        "NT-Xent, clipped": (clipped, ""),
        "MoCo": (learns("moco"), ""),
        "MoCo, clipped": (learns("moco", clipped), ""),
        "Barlow Twins": (learns("barlow"), ""),
        "VICReg": (learns("vicreg"), ""),
        "BYOL": (learns("byol"), ""),
        "BYOL, no predictor, no slow copy": (learns("byol"), NO_PREDICTOR),
    }
    for label, rule in TRIPLETS.items():
        variants |= {label: (none, rule), f"{label}, clipped": (clipped, rule)}
    return [
        Trial("objectives", label, replace(_on(plan, config, seed=seed), schedule=SHORT), variant=variant)
        for seed in SEEDS
        for label, (config, variant) in variants.items()
    ]


PARTS = {
    "curve": _curve,
    "rules-I": partial(_rules, protocol="I"),
    "rules-II": partial(_rules, protocol="II"),
    "shared": _shared_temperature,
    "ideas": _ideas,
    "batch": _batch,
    "codes": _codes,
    "backbone": _backbone,
    "objectives": _objectives,
}


def named(names: list[str] | None) -> list[str]:
    """The given names of parts, by default all; InputError if one is unknown."""
    if unknown := sorted(set(names or ()) - set(PARTS)):
        raise InputError(f"there is no part {unknown[0]!r} of the study; choose from {', '.join(PARTS)}")
    return names or list(PARTS)
