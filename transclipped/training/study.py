"""The measured study: which clipping rule helps, how much of it, and what else matters.

A part is a list of trials; a trial trains a linear head and a quantizer on cached features of a frozen backbone and
measures retrieval. Each result is a line of `<part>.jsonl`, written when it is there, so a study that was stopped goes
on where it was. Parts:

| part       | varies                                                     | data, bits, seeds             |
| ---------- | ---------------------------------------------------------- | ----------------------------- |
| `curve`    | amount of clipping, at two temperatures or three           | (I), 32 bits, one seed        |
| `rules-I`  | the rule, each with the setting that `curve` chose         | (I), 16/32/64 bits, three     |
| `rules-II` | the same, heads trained on 500 pictures a class            | (II), 16/32/64 bits, three    |
| `ideas`    | what decides: other embeddings, other thresholds           | (I), 32 bits, two seeds       |
| `batch`    | pictures a step, 64 to 1,024                               | (I), 32 bits, one seed        |
| `codes`    | soft, hard, asymmetric, symmetric, float                   | (I), 16/32/64, one seed       |
| `backbone` | CNN, distilled hybrid, hybrid trained with and without     | (I), 32 bits, three seeds     |

`curve` sets 5,000 training pictures aside and looks at their labels to choose a temperature and an amount for each
rule; no choice looks at queries. What is measured of queries is reported beside it, never chosen by.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transclipped.analysis.tables import results
from transclipped.analysis.thresholds import mixture, otsu
from transclipped.clipping import register
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
from transclipped.files import append_json_line
from transclipped.flags import arguments
from transclipped.models.backbone import CNN, DISTILLED, HYBRID
from transclipped.models.network import Head, embed_in_batches
from transclipped.retrieval.index import CodeIndex, FloatIndex, decode, encode
from transclipped.retrieval.metrics import measure
from transclipped.training.evaluation import quick_map
from transclipped.training.features import Progress
from transclipped.training.session import Session, prepare
from transclipped.training.sources import CachedViews
from transclipped.training.trainer import Trainer

VALIDATION = 5000  # training pictures that `curve` chooses by
EPOCHS = {"I": 4, "II": 40}  # about 800 steps of 256 pictures either way
AMOUNTS = {  # rule: the setting that says how much, and what is tried
    "none": ("threshold", (1.0,)),
    "debiased": ("class_prior", (0.1,)),
    "rank": ("fraction", (0.02, 0.05, 0.1, 0.2)),
    "threshold": ("threshold", (0.7, 0.6, 0.5, 0.4, 0.3)),
    "rank+threshold": ("threshold", (0.5, 0.4)),  # of the 10 % most similar
    "adaptive": ("sigma", (2.5, 2.0, 1.5)),
}
CURVES = {0.2: tuple(AMOUNTS), 0.3: tuple(AMOUNTS), 0.5: ("none", "threshold", "adaptive")}  # temperature: rules
RANKED = 0.1  # q of rank+threshold
SAME = "none, τ of adaptive"  # what clipping alone changes, where temperature stays
BATCHES = (64, 128, 256, 512, 1024)
SEEDS = (0, 1, 2)
BITS = (16, 32, 64)


@dataclass(frozen=True)
class Plan:
    """What all trials of a study share.

    Attributes:
        out: folder of results.
        backbone: that heads are trained on, in all parts but `backbone`; NAME or NAME=FILE of weights.
        others: more hybrids for the part `backbone`, label: file of weights.
        limit: pictures that are trained on and searched, None for all; for trials of the study itself.
    """

    out: Path
    backbone: str = DISTILLED
    others: dict[str, str] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True)
class Trial:
    """One training to measure: its part, a label for tables, its configuration, and whether all searches count."""

    part: str
    label: str
    config: RunConfig
    every_search: bool = False

    @property
    def key(self) -> str:
        """Names the trial by all that decides its result."""
        spelled = json.dumps([self.label, arguments(self.config), self.every_search])
        return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def _mixture(similarity, candidates, config):
    """Every pair above the point where two normal distributions fitted to the batch's similarities cross."""
    level = mixture(similarity[candidates].numpy())
    return similarity > level, level


def _otsu(similarity, candidates, config):
    """Every pair above Otsu's threshold of the batch's similarities."""
    level = otsu(similarity[candidates].numpy())
    return similarity > level, level


def study(parts: list[str], plan: Plan, *, device: str = "cpu") -> Iterator[Progress]:
    """Run what is left of the parts; results are lines of `<part>.jsonl` in the plan's folder.

    Raises:
        InputError: a part is unknown, or depends on another that is not done.
    """
    if unknown := sorted(set(parts) - set(PARTS)):
        raise InputError(f"there is no part {unknown[0]!r} of the study; choose from {', '.join(PARTS)}")
    _make(plan.out)
    for part in parts:
        done = {result["key"] for result in results(plan.out, part)}
        todo = [trial for trial in PARTS[part](plan) if trial.key not in done]
        started = time.monotonic()
        for n, trial in enumerate(todo):
            yield Progress(f"study: {part}", n, len(todo), time.monotonic() - started)
            result = yield from _measured(trial, device)
            rounded = {name: round(value, 5) if isinstance(value, float) else value for name, value in result.items()}
            append_json_line(plan.out / f"{part}.jsonl", rounded)
        yield Progress(f"study: {part}", len(todo), len(todo), time.monotonic() - started)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}; choose another folder with --out") from error


def chosen(plan: Plan) -> dict[str, RunConfig]:
    """The setting of each rule with the best validation mAP in the plan's part `curve`.

    Raises:
        InputError: that part is not done.
    """
    found = {result["key"]: result for result in results(plan.out, "curve")}
    wanted = [trial.key for trial in _curve(plan)]
    if missing := sum(key not in found for key in wanted):
        raise InputError(f"{plan.out} lacks {missing} results of the part curve; run `study --part curve` first")
    best: dict[str, dict[str, Any]] = {}
    for result in (found[key] for key in wanted):
        rule = result["rule"]
        if rule not in best or result["validation_map"] > best[rule]["validation_map"]:
            best[rule] = result
    return {rule: _config(rule, found["amount"], found["temperature"]) for rule, found in best.items()}


def _config(rule: str, amount: float, temperature: float) -> RunConfig:
    clipping = ClippingConfig(rule=rule, **{AMOUNTS[rule][0]: amount})
    if rule == "rank+threshold":
        clipping = replace(clipping, fraction=RANKED)
    return RunConfig(clipping=clipping, loss=LossConfig(temperature=temperature))


def _on(
    plan: Plan, config: RunConfig, *, backbone: str | None = None, bits: int = 32, seed: int = 0, **data
) -> RunConfig:
    """The configuration on a backbone (the plan's, unless given) and on data (protocol I, unless given)."""
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
    grid = [(rule, a, t) for t, rules in CURVES.items() for rule in rules for a in AMOUNTS[rule][1]]
    return [Trial("curve", r, _on(plan, _config(r, a, t), validation=VALIDATION)) for r, a, t in grid]


def _rules(plan: Plan, protocol: str) -> list[Trial]:
    """Each rule at the temperature that suits it, and none also at the one that suits `adaptive`."""
    settings = chosen(plan)
    settings[SAME] = replace(settings["none"], loss=settings["adaptive"].loss)
    return [
        Trial("rules", label, _on(plan, config, bits=bits, seed=seed, protocol=protocol))
        for bits in (32, 16, 64)
        for seed in SEEDS
        for label, config in settings.items()
    ]


def _ideas(plan: Plan) -> list[Trial]:
    register("mixture")(_mixture)
    register("otsu")(_otsu)
    adaptive = chosen(plan)["adaptive"]
    ideas = {
        "adaptive": adaptive.clipping,
        "adaptive on continuous embeddings": replace(adaptive.clipping, on="continuous"),
        "adaptive on the backbone's": replace(adaptive.clipping, on="backbone"),
        "mixture of two normals": replace(adaptive.clipping, rule="mixture"),
        "Otsu": replace(adaptive.clipping, rule="otsu"),
        "adaptive, clamped": replace(adaptive.clipping, treatment="clamp"),
        "adaptive, from epoch 1": replace(adaptive.clipping, start=1.0, full=1.0),
    }
    return [
        Trial("ideas", label, _on(plan, replace(adaptive, clipping=clipping), seed=seed))
        for seed in SEEDS[:2]
        for label, clipping in ideas.items()
    ]


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


PARTS = {
    "curve": _curve,
    "rules-I": partial(_rules, protocol="I"),
    "rules-II": partial(_rules, protocol="II"),
    "ideas": _ideas,
    "batch": _batch,
    "codes": _codes,
    "backbone": _backbone,
}


def _measured(trial: Trial, device: str) -> Iterator[Progress]:
    """Train and measure; the returned line of results has all values in [0, 1] unless a name says otherwise."""
    config = trial.config
    session = _session(config.data, config.backbone, device)
    for view in range(config.schedule.views):
        yield from session.cache.fill(view, session.split.train, device=device)
    for role in ("query", "database", "validation"):
        yield from session.cache.fill(0, getattr(session.split, role), device=device)
    started = time.monotonic()
    head = Head(session.backbone.width, config.quantizer, generator=torch.Generator().manual_seed(config.seed))
    views = _in_memory(session.cache.folder, session.cache, config.schedule.views)
    source = CachedViews(views, session.split.train, seed=config.seed)
    last = {}
    for event in Trainer(head, source, config, labels=session.images.labels).events():
        last = event.values if event.kind == "epoch" else last
    trained = time.monotonic() - started
    amount = getattr(config.clipping, AMOUNTS.get(config.clipping.rule, ("sigma", ()))[0])
    return {
        "v": 1,
        "key": trial.key,
        "part": trial.part,
        "label": trial.label,
        "rule": config.clipping.rule,
        "amount": amount,
        "temperature": config.loss.temperature,
        "protocol": config.data.protocol,
        "bits": config.quantizer.bits,
        "batch": config.schedule.batch,
        "epochs": config.schedule.epochs,
        "seed": config.seed,
        "backbone": trial.label if trial.part == "backbone" else config.backbone.name,
        **_searched(head.eval(), session, every=trial.every_search),
        "clip_fraction": round(last.get("clip_fraction", 0.0), 5),
        "clip_precision": last.get("clip_precision"),
        "training_s": round(trained, 1),
    }


def _searched(head: Head, session: Session, *, every: bool) -> dict[str, Any]:
    """mAP of asymmetric search, plain and tie-aware, of validation where there is one, of other searches if asked."""
    split, plain, labels = session.split, session.cache.view(0), session.images.labels
    database, codes = (tensor.numpy() for tensor in embed_in_batches(head, plain[split.database]))
    codebooks = head.quantizer.codewords().detach().numpy()
    index = CodeIndex(codebooks, codes)

    def found(searched, queries, rows, tie_aware=False):
        return measure(
            searched,
            queries,
            query_labels=labels[rows],
            database_labels=labels[split.database],
            k=session.depth(len(split.database)),
            tie_aware=tie_aware,
            curve=False,
        )

    asked = embed_in_batches(head, plain[split.query])[0].numpy()
    asymmetric = found(index, asked, split.query, tie_aware=True)
    result = {"map": asymmetric.map, "map_tie_aware": asymmetric.map_tie_aware}
    if len(split.validation):
        result["validation_map"] = _validated(head, session)
    if every:
        soft = _soft(head, plain[split.database])
        result["symmetric"] = found(index, decode(codebooks, encode(codebooks, asked)), split.query).map
        result["float"] = found(FloatIndex(database, codebooks=len(codebooks)), asked, split.query).map
        result["soft"] = found(FloatIndex(soft, codebooks=len(codebooks)), asked, split.query).map
    return result


def _validated(head: Head, session: Session) -> float:
    """mAP of the validation pictures against the training pictures."""
    split, plain, labels = session.split, session.cache.view(0), session.images.labels
    return quick_map(
        head,
        embed_in_batches(head, plain[split.validation])[0],
        embed_in_batches(head, plain[split.train])[1],
        query_labels=labels[split.validation],
        database_labels=labels[split.train],
        k=session.depth(len(split.train)),
    )


@torch.inference_mode()
def _soft(head: Head, features: np.ndarray) -> np.ndarray:
    """Soft codes `[N, D]` float32 of features, as training sees them."""
    parts = [head(torch.from_numpy(part)).quantized.flatten(1) for part in np.array_split(features, 16)]
    return torch.cat(parts).numpy()


@lru_cache(maxsize=4)
def _session(data: DataConfig, backbone: BackboneConfig, device: str) -> Session:
    return prepare(RunConfig(data=data, backbone=backbone), device=device)


@lru_cache(maxsize=1)
def _in_memory(folder: Path, cache, views: int) -> list[np.ndarray]:
    """Cached views as arrays: an epoch touches every row, and a memory map would page them in one by one."""
    return [np.array(cache.view(view)) for view in range(views)]
