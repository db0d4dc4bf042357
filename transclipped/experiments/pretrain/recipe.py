"""The recipe of the bundled hybrid ViT, as a command: distil, then train contrastively with clipping.

Stage (a), distillation: the transformer learns to say of augmented views what ImageNet-trained teachers say of
the plain image (`distill.py`). Stage (b), contrast: transformer, projection and quantizer train together with
the clipped contrastive loss, past the teachers; for a share of the pairs the second view may be a near
neighbour's (`neighbours.py`). So far the stem is frozen, but for its last two stages, which may learn along in
stage (a). Feature maps of V views of each image, by what is frozen, are computed once and cached, and both
stages run on those, which a laptop can do. Stage (c), refinement, is for accelerators: the same loss on freshly
augmented images, rendered on the device, through all of the network, the stem included, at a small learning
rate.

No label of any image takes part, and no query or test image: the corpora are CIFAR-10's 50,000 training
images and Caltech-101's 2,020 database photographs, each at a size of its own. Stem and teachers come from
ImageNet's labels, as everybody's in this field.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from timm.models import VisionTransformer

from transclipped.config import (
    BackboneConfig,
    ClippingConfig,
    LossConfig,
    QuantizerConfig,
    RunConfig,
    ScheduleConfig,
)
from transclipped.errors import InputError
from transclipped.experiments.pretrain.corpora import (
    Images,
    chosen_corpora,
    parsed_teacher,
    stem_maps,
    teachers_targets,
)
from transclipped.experiments.pretrain.distill import Corpus, Distiller
from transclipped.experiments.pretrain.neighbours import NeighbourViews, nearest_neighbours
from transclipped.features.cache import Progress, encode_maps
from transclipped.models.backbone import LITE_MEAN, LITE_STD, Backbone
from transclipped.models.head import Head, Network
from transclipped.models.hybrid import (
    EARLY_STRIDE,
    STEM_PREFIX,
    STEM_STAGES,
    STRIDE,
    OnMaps,
    freeze_stem,
    hybrid_vit,
    joined,
    stem_names,
    without_stem,
)
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.models.zoo import BUNDLED, CNN, HYBRID
from transclipped.training.sources import CachedViews, FreshViews
from transclipped.training.trainer import Event, Trainer
from transclipped.utils.files import append_json_line, hold, json_lines, read_json, replacing, write_json

SAVE_EVERY = 60.0  # seconds between two checkpoints
RECIPE = "pretrain.json"
RESULT = f"{HYBRID}.safetensors"
STAGES = {"distilled": "distill_epochs", "contrasted": "contrast_epochs", "refined": "refine_epochs"}  # its length


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Budget and settings of the stages.

    Attributes:
        teachers: each NAME, NAME@SIZE or NAME=FILE or NAME@SIZE=FILE, a bundled or timm model; FILE holds its
            weights. Without SIZE a teacher sees images 1.5 times as large as the student.
        flips: average each teacher's embedding with that of the mirror image.
        views: V, cached views an image.
        frozen_stride: of the cached maps; 16 freezes all of the stem, with 8 its two stages from there to stride 16
            learn along in stage (a).
        distill_epochs, contrast_epochs, refine_epochs: of the stages, 0 skips one.
        batch: images a step.
        distill_lr, blocks_lr, head_lr: peak learning rates.
        refine_lr: peak learning rate of stem and blocks in stage (c).
        clipping, temperature: of stages (b) and (c).
        bits: of the quantizer that trains along in stages (b) and (c).
        neighbours: k of `NeighbourViews` in stage (b), 0 for pairs of an image's own views only.
        neighbour_share: of the pairs whose second view is a neighbour's.
        limit: images of each corpus, None for all; for trials.
        start: file with hybrid weights to begin from, instead of random ones.
    """

    teachers: tuple[str, ...] = (CNN,)
    flips: bool = False
    views: int = 4
    frozen_stride: int = STRIDE
    distill_epochs: int = 6
    contrast_epochs: int = 3
    refine_epochs: int = 0
    batch: int = 256
    distill_lr: float = 1e-3
    blocks_lr: float = 3e-4
    head_lr: float = 3e-3
    refine_lr: float = 5e-5
    clipping: ClippingConfig = field(default_factory=lambda: ClippingConfig(rule="adaptive"))
    temperature: float = 0.2
    bits: int = 32
    neighbours: int = 0
    neighbour_share: float = 0.5
    limit: int | None = None
    start: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in STAGES.values():
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; choose 0 to skip the stage, or more")
        if self.distill_epochs and not self.teachers:
            raise InputError("distillation needs a teacher; name one, or choose 0 distill epochs")
        if self.views < 2:
            raise InputError(f"views is {self.views}; choose 2 or more")
        if self.frozen_stride not in STEM_STAGES:
            raise InputError(f"frozen_stride is {self.frozen_stride}; choose {' or '.join(map(str, STEM_STAGES))}")
        if self.neighbours < 0:
            raise InputError(f"neighbours is {self.neighbours}; choose 0 for none, or more")
        if not 0 <= self.neighbour_share <= 1:
            raise InputError(f"neighbour_share is {self.neighbour_share}; choose a share from 0 to 1")
        if self.batch < 2:
            raise InputError(f"batch is {self.batch}; choose 2 or more")
        for spec in self.teachers:
            parsed_teacher(spec)


class BudgetSpent(Exception):
    """The wall-clock budget is over and the state is saved; the same call goes on."""


def pretrain(
    config: PretrainConfig, folder: Path, *, minutes: float | None = None, device: str = "cpu"
) -> Iterator[Progress | Event]:
    """Run what is left of the recipe; checkpoints and results are in `folder`.

    Args:
        minutes: wall-clock budget; when it is spent the state is saved and the same call goes on later.

    Raises:
        InputError: a teacher or the disk fails, or `folder` holds another recipe.
        BudgetSpent: before the end.
    """
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    with hold(folder):
        yield from _stages(config, folder, deadline=deadline, device=device)


def _stages(config: PretrainConfig, folder: Path, *, deadline: float, device: str) -> Iterator[Progress | Event]:
    _keep_recipe(folder, config)
    corpora = chosen_corpora(config.limit)
    torch.manual_seed(config.seed)
    vit = _vit(config)
    for stage, build in (("distilled", _distiller), ("contrasted", _contrast), ("refined", _refiner)):
        if getattr(config, STAGES[stage]) == 0:
            continue
        finished = folder / f"{stage}.safetensors"
        if not finished.exists():
            with closing(_stage(stage, build, config, vit, corpora, folder, device)) as work:  # closing saves
                for item in work:
                    yield item
                    if time.monotonic() > deadline:
                        raise BudgetSpent
        vit.load_state_dict(joined(_stem_state(), load_tensors(finished)))
    save_tensors(folder / RESULT, exported(vit))


def _stage(stage, build, config, vit, corpora, folder, device) -> Iterator[Progress | Event]:
    """Prepare one stage, go on from its checkpoint, and write its result when it is done."""
    learner = yield from build(config, vit, corpora, folder, device)
    checkpoint = folder / f"{stage}.checkpoint.safetensors"
    if checkpoint.exists():
        learner.restore(load_tensors(checkpoint))
    saved = time.monotonic()
    try:
        for event in learner.events():
            yield event
            if event.kind == "epoch":
                _log(folder, stage, event)
            if time.monotonic() - saved > SAVE_EVERY:
                save_tensors(checkpoint, learner.state())
                saved = time.monotonic()
    finally:
        save_tensors(checkpoint, learner.state())
    save_tensors(folder / f"{stage}.safetensors", exported(vit))


def _log(folder: Path, stage: str, event: Event) -> None:
    """Log an epoch, but for one that a process killed before its checkpoint has logged already."""
    path, place = folder / "events.jsonl", {"stage": stage, "epoch": round(event.epoch, 3)}
    if not any(isinstance(old, dict) and place.items() <= old.items() for old in json_lines(path)):
        append_json_line(path, {"v": 1, "t": round(time.time(), 1), **place, **event.values})


def exported(vit: VisionTransformer) -> dict[str, torch.Tensor]:
    """Half-precision weights to bundle: all but what of the stem is, at that precision, still the CNN's own."""
    shared = {STEM_PREFIX + name: tensor.half() for name, tensor in _stem_state().items()}
    own = {name: tensor.detach().cpu().half() for name, tensor in vit.state_dict().items()}
    return {name: t for name, t in own.items() if name not in shared or not torch.equal(t, shared[name])}


def _distiller(config, vit, corpora, folder, device) -> Iterator[Progress]:
    prepared = []
    width = vit.num_features
    targets = yield from teachers_targets(config.teachers, corpora, width=width, flips=config.flips, device=device)
    for images, target in zip(corpora, targets, strict=True):
        views = yield from _maps(config, images, device)
        prepared.append(Corpus(views, images.rows, target, images.repeat))
    return Distiller(
        OnMaps(vit, stride=config.frozen_stride).to(device),
        prepared,
        epochs=config.distill_epochs,
        batch=config.batch,
        lr=config.distill_lr,
        seed=config.seed,
    )


def _contrast(config, vit, corpora, folder, device) -> Iterator[Progress]:
    images = corpora[0]
    views = yield from _maps(config, images, device)
    freeze_stem(vit)  # without a teacher it learned the cached views by heart: see assets/models/hybrid-vit.md
    run = _contrastive(config, epochs=config.contrast_epochs, lr=config.blocks_lr)
    model = Network(OnMaps(vit, stride=config.frozen_stride), _head(config, vit)).to(device)
    source = CachedViews(views, images.rows, seed=config.seed)
    if config.neighbours:
        find = partial(_neighbours, model.backbone, views, images.rows, config.neighbours, folder, device)
        source = NeighbourViews(views, images.rows, find=find, share=config.neighbour_share, seed=config.seed)
    return Trainer(model, source, run)


def _neighbours(network, views, rows, k, folder, device, epoch) -> np.ndarray:
    """Rows `[n, k]` that are near in the embedding as an epoch begins; kept, so that resuming finds the same."""
    path = folder / f"neighbours-{epoch}.npy"
    if not path.exists():
        training = network.training
        found = [np.concatenate([z for _, z in encode_maps(network, view, rows, device=device)]) for view in views[:2]]
        network.train(training)
        lengths = [np.linalg.norm(z.astype(np.float32), axis=1, keepdims=True).clip(1e-12) for z in found]
        mean = sum(z / length for z, length in zip(found, lengths, strict=True))  # of an image and its mirror image
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, rows[nearest_neighbours(mean, k)])
    return np.load(path, allow_pickle=False)


def _refiner(config, vit, corpora, folder, device) -> Iterator[Progress]:
    yield Progress("decoding the images", 0, 1, 0.0)
    images = corpora[0]
    images.images.all_pixels  # noqa: B018 - decoded once and kept, so that an epoch only renders
    vit.requires_grad_(True)
    backbone = Backbone(vit, name=HYBRID, image_size=images.size, mean=LITE_MEAN, std=LITE_STD)
    source = FreshViews(images.images, images.rows, backbone, seed=config.seed, device=device)
    run = _contrastive(config, epochs=config.refine_epochs, lr=config.refine_lr)
    return Trainer(Network(backbone, _head(config, vit)).to(device), source, run)


def _contrastive(config: PretrainConfig, *, epochs: int, lr: float) -> RunConfig:
    """What the trainer needs to know of stages (b) and (c)."""
    return RunConfig(
        backbone=BackboneConfig(train="all"),
        quantizer=QuantizerConfig(bits=config.bits),
        clipping=config.clipping,
        loss=LossConfig(temperature=config.temperature),
        schedule=ScheduleConfig(epochs=epochs, batch=config.batch, lr=config.head_lr, backbone_lr=lr),
    )


def _head(config: PretrainConfig, vit: VisionTransformer) -> Head:
    generator = torch.Generator().manual_seed(config.seed)
    return Head.from_config(vit.num_features, QuantizerConfig(bits=config.bits), generator=generator)


def _maps(config: PretrainConfig, images: Images, device: str) -> Iterator[Progress]:
    return stem_maps(images, views=config.views, stride=config.frozen_stride, seed=config.seed, device=device)


def _vit(config: PretrainConfig) -> VisionTransformer:
    """The hybrid over the CNN's stem, frozen as far as it is to be, with random or given weights after it.

    Raises:
        InputError: the given ones trained what is to be frozen, and so do not fit the maps of the CNN's stem.
    """
    vit = hybrid_vit()
    rest = load_tensors(config.start) if config.start else without_stem(vit.state_dict())
    frozen = stem_names(stride=config.frozen_stride)
    if (config.distill_epochs or config.contrast_epochs) and not rest.keys().isdisjoint(frozen):
        raise InputError(
            f"{config.start} trained its stem before stride {config.frozen_stride}; choose --frozen-stride "
            f"{EARLY_STRIDE} if its first stages are the CNN's, or go on with stage (c) alone"
        )
    vit.load_state_dict(joined(_stem_state(), rest))
    freeze_stem(vit, stride=config.frozen_stride)
    return vit


def _stem_state() -> dict[str, torch.Tensor]:
    return load_tensors(BUNDLED[CNN].weights)


def _keep_recipe(folder: Path, config: PretrainConfig) -> None:
    """Write the settings beside the results; going on with other ones would mix two recipes."""
    path = folder / RECIPE
    settings = json.loads(json.dumps(asdict(config)))  # tuples become lists
    older = json.loads(json.dumps(asdict(PretrainConfig())))  # what a recipe of an older version leaves out
    if path.exists() and older | read_json(path) != settings:
        raise InputError(f"{folder} holds a pretraining with other settings; choose another folder")
    write_json(path, settings)
