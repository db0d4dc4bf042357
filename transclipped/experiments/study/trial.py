"""One trial of the study: trains a head on cached features of a frozen backbone and measures retrieval."""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from transclipped.config import BackboneConfig, DataConfig, RunConfig
from transclipped.datasets.protocols import readable
from transclipped.experiments.study.ideas import register_ideas
from transclipped.experiments.study.parts import NO_PREDICTOR
from transclipped.experiments.study.two_encoders import train_pair
from transclipped.features.cache import FeatureCache, Progress
from transclipped.models.head import Head, embed_in_batches
from transclipped.models.zoo import CNN
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.index import FlatIndex, PQIndex
from transclipped.retrieval.metrics import measure
from transclipped.runs.session import Session, prepare
from transclipped.training.evaluation import validation_map
from transclipped.training.objectives import triplet
from transclipped.training.sources import CachedViews
from transclipped.training.trainer import Trainer

SECOND = CNN  # encoder beside the plan's, for triplets; it sees the plain image, whichever view the other sees


def measured(
    config: RunConfig, *, every_search: bool = False, variant: str = "", device: str = "cpu"
) -> Generator[Progress, None, dict[str, Any]]:
    """Train and measure; the returned values are in [0, 1], except `training_s` in seconds.

    Args:
        every_search: also measure symmetric and float search, and soft codes.
        variant: as in `Trial`.
    """
    session = session_of(config.data, config.backbone, device)
    yield from _encode(session, config.schedule.views)
    register_ideas()  # for every trial, which resets the one that learns
    started = time.monotonic()
    generator = torch.Generator().manual_seed(config.seed)
    head = Head.from_config(session.backbone.width, config.quantizer, generator=generator)
    views = _in_memory(session.cache, config.schedule.views)
    if variant in triplet.RULES:
        other = session_of(config.data, BackboneConfig(name=SECOND), device)
        yield from _encode(other, 1, searched=False)
        plain = _beside(other.cache, 1)
        started = time.monotonic()
        last = train_pair(head, views, plain * len(views), session, config, rule=variant)
    else:
        last = _trained(head, CachedViews(views, session.split.train, seed=config.seed), session, config, variant)
    trained = time.monotonic() - started
    return {
        **_searched(head.eval(), session, every=every_search),
        "clip_fraction": last.get("clip_fraction", 0.0),
        "clip_precision": last.get("clip_precision"),
        "mean_cosine": last["mean_cosine"],
        "training_s": round(trained, 1),
    }


@lru_cache(maxsize=4)
def session_of(data: DataConfig, backbone: BackboneConfig, device: str) -> Session:
    """Images, split, backbone and cache that trials share."""
    return prepare(RunConfig(data=data, backbone=backbone), device=device)


def _trained(head: Head, source: CachedViews, session: Session, config: RunConfig, variant: str) -> dict[str, float]:
    """Train the head; returns the means of the last epoch."""
    trainer = Trainer(head, source, config, labels=session.images.labels)
    if variant == NO_PREDICTOR:
        trainer.slow.predictor, trainer.slow.momentum = nn.Identity(), 0.0  # what keeps it from collapsing
    last = {}
    for event in trainer.events():
        last = event.values if event.kind == "epoch" else last
    return last


def _encode(session: Session, views: int, *, searched: bool = True) -> Generator[Progress, None, None]:
    """Encode the images that a trial needs, through the cache; those to search and to search with if `searched`."""
    split = session.split
    for view in range(views):
        yield from session.cache.fill(view, split.train, device=session.device)
    if not searched:
        return
    for rows in (split.query, split.database, split.validation):
        yield from session.cache.fill(0, rows, device=session.device)
    session.split = readable(split, session.images)


def _searched(head: Head, session: Session, *, every: bool) -> dict[str, Any]:
    """mAP of asymmetric search, plain and tie-aware; of validation images, if any; of `every` other search."""
    split, plain, labels = session.split, session.cache.view(0), session.images.labels
    database, codes = (tensor.numpy() for tensor in embed_in_batches(head, plain[split.database]))
    codebooks = head.quantizer.codewords().detach().numpy()
    index = PQIndex(codebooks, codes)
    options = {"query_labels": labels[split.query], "database_labels": labels[split.database]}
    options |= {"k": session.depth(len(split.database)), "curve": False}
    queries = embed_in_batches(head, plain[split.query])[0].numpy()
    asymmetric = measure(index, queries, tie_aware=True, **options)
    result = {"map": asymmetric.map, "map_tie_aware": asymmetric.map_tie_aware}
    if len(split.validation):
        result["validation_map"] = validation_map(session, head)
    if every:
        with torch.inference_mode():
            parts = np.array_split(plain[split.database], 16)
            soft = torch.cat([head(torch.from_numpy(part)).quantized.flatten(1) for part in parts]).numpy()
        for name, searched, vectors in (
            ("symmetric", index, decode(codebooks, encode(codebooks, queries))),
            ("float", FlatIndex(database, codebooks=len(codebooks)), queries),
            ("soft", FlatIndex(soft, codebooks=len(codebooks)), queries),
        ):
            result[name] = measure(searched, vectors, tie_aware=False, **options).map
    return result


@lru_cache(maxsize=1)
def _in_memory(cache: FeatureCache, views: int) -> list[np.ndarray]:
    """Cached views as arrays, since an epoch reads every row and a memory map would page them in one by one."""
    return [np.array(cache.view(view)) for view in range(views)]


_beside = lru_cache(maxsize=1)(_in_memory.__wrapped__)  # the same of the second encoder
