"""The recipe of the bundled hybrid ViT, as a command: distil, then train contrastively with clipping.

Stage (a), distillation: the transformer learns from augmented views the ImageNet-trained teachers' embeddings of the
plain image (`distill.py`). Stage (b), contrast: transformer, projection and quantizer are trained jointly with the
clipped contrastive loss; for a share of the pairs the second view can be a near neighbour's (`neighbours.py`). The
stem is frozen in both, except for its last two stages, which stage (a) can fine-tune. Both stages run on cached
feature maps of V views per image, computed once by the frozen part, so a laptop suffices. Stage (c), refinement, is
for accelerators: the same loss on freshly augmented images, rendered on the device, through the whole network
including the stem, at a small learning rate.

No labels, queries or test images are used: the corpora are CIFAR-10's 50,000 training images and Caltech-101's 2,020
database photographs. Stem and teachers were trained with ImageNet's labels, as is usual in this field.
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

from transclipped.config import BackboneConfig, ClippingConfig, LossConfig, QuantizerConfig, RunConfig, ScheduleConfig
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
from transclipped.models import hybrid
from transclipped.models.backbone import LITE_MEAN, LITE_STD, Backbone
from transclipped.models.head import Head, Network
from transclipped.models.hybrid import STEM_PREFIX, STRIDE, OnMaps, freeze_stem, hybrid_vit, joined, without_stem
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.models.zoo import BUNDLED, CNN, HYBRID
from transclipped.training.sources import CachedViews, FreshViews
from transclipped.training.trainer import Event, Trainer
from transclipped.utils.files import append_json_line, hold, json_lines, read_json, replacing, write_json

SAVE_EVERY = 60.0  # seconds between two checkpoints
RECIPE = "pretrain.json"
RESULT = f"{HYBRID}.safetensors"
STAGES = {"distilled": "distill_epochs", "contrasted": "contrast_epochs", "refined": "refine_epochs"}  # stage: setting


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Settings of the stages.

    Attributes:
        teachers: bundled or timm models as NAME, NAME@SIZE, NAME=FILE or NAME@SIZE=FILE, with a file of weights. The
            default SIZE is 1.5 times the student's.
        flips: average each teacher's embedding with that of the mirror image.
        views: V, cached views per image.
        frozen_stride: of the cached maps; 16 freezes the whole stem, with 8 stage (a) fine-tunes its last two stages.
        distill_epochs, contrast_epochs, refine_epochs: of the stages, 0 skips one.
        distill_lr, blocks_lr, head_lr: peak learning rates; refine_lr: of stem and blocks in stage (c).
        clipping, temperature, bits: of stages (b) and (c).
        neighbours: k of `NeighbourViews` in stage (b), 0 for none; neighbour_share: of the pairs that use them.
        limit: images of each corpus, None for all; for trials.
        start: file with hybrid weights, instead of random ones.
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
        if self.distill_epochs and not self.teachers:
            raise InputError("distillation needs a teacher; name one, or choose 0 distill epochs")
        least = dict.fromkeys([*STAGES.values(), "neighbours"], 0) | {"views": 2, "batch": 2}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise InputError(f"{name} is {getattr(self, name)}; choose {value} or more")
        if self.frozen_stride not in hybrid.STEM_STAGES:
            raise InputError(
                f"frozen_stride is {self.frozen_stride}; choose {' or '.join(map(str, hybrid.STEM_STAGES))}"
            )
        if not 0 <= self.neighbour_share <= 1:
            raise InputError(f"neighbour_share is {self.neighbour_share}; choose a share from 0 to 1")
        for spec in self.teachers:
            parsed_teacher(spec)


class BudgetSpent(Exception):
    """The wall-clock budget is spent and the state is saved; the same call resumes."""


def pretrain(
    config: PretrainConfig, folder: Path, *, minutes: float | None = None, device: str = "cpu"
) -> Iterator[Progress | Event]:
    """Run or resume the recipe; checkpoints and results are in `folder`.

    Args:
        minutes: wall-clock budget; when it is spent, the state is saved.

    Raises:
        InputError: a teacher or the disk fails, or `folder` holds another recipe.
        BudgetSpent: before the end; the same call resumes.
    """
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    with hold(folder):
        yield from _stages(config, folder, deadline, device)


def _stages(config: PretrainConfig, folder: Path, deadline: float, device: str) -> Iterator[Progress | Event]:
    path, settings = folder / RECIPE, json.loads(json.dumps(asdict(config)))  # tuples become lists
    defaults = json.loads(json.dumps(asdict(PretrainConfig())))  # a recipe of an older version may lack some
    if path.exists() and defaults | read_json(path) != settings:
        raise InputError(f"{folder} holds a pretraining with other settings; choose another folder")
    write_json(path, settings)
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
    """Prepare one stage, train it from its checkpoint, and write its result."""
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
    """Log an epoch unless it was logged by a process that was killed before its checkpoint."""
    path, key = folder / "events.jsonl", {"stage": stage, "epoch": round(event.epoch, 3)}
    if not any(isinstance(line, dict) and key.items() <= line.items() for line in json_lines(path)):
        append_json_line(path, {"v": 1, "t": round(time.time(), 1), **key, **event.values})


def exported(vit: VisionTransformer) -> dict[str, torch.Tensor]:
    """Half-precision weights to bundle, without the stem's tensors that equal the CNN's at that precision."""
    shared = {STEM_PREFIX + name: tensor.half() for name, tensor in _stem_state().items()}
    state = {name: tensor.detach().cpu().half() for name, tensor in vit.state_dict().items()}
    return {name: t for name, t in state.items() if name not in shared or not torch.equal(t, shared[name])}


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
    freeze_stem(vit)  # without a teacher it overfits the cached views: see assets/models/hybrid-vit.md
    run = _contrastive(config, epochs=config.contrast_epochs, lr=config.blocks_lr)
    model = Network(OnMaps(vit, stride=config.frozen_stride), _head(config, vit)).to(device)
    source = CachedViews(views, images.rows, seed=config.seed)
    if config.neighbours:
        find = partial(_neighbours, model.backbone, views, images.rows, config.neighbours, folder, device)
        source = NeighbourViews(views, images.rows, find=find, share=config.neighbour_share, seed=config.seed)
    return Trainer(model, source, run)


def _neighbours(network, views, rows, k, folder, device, epoch) -> np.ndarray:
    """Rows `[n, k]` of the nearest neighbours at the start of an epoch; saved, so that resuming uses the same."""
    path = folder / f"neighbours-{epoch}.npy"
    if not path.exists():
        training = network.training
        pair = [np.concatenate([z for _, z in encode_maps(network, view, rows, device=device)]) for view in views[:2]]
        network.train(training)
        lengths = [np.linalg.norm(z.astype(np.float32), axis=1, keepdims=True).clip(1e-12) for z in pair]
        mean = sum(z / length for z, length in zip(pair, lengths, strict=True))  # of an image and its mirror image
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, rows[nearest_neighbours(mean, k)])
    return np.load(path, allow_pickle=False)


def _refiner(config, vit, corpora, folder, device) -> Iterator[Progress]:
    yield Progress("decoding the images", 0, 1, 0.0)
    images = corpora[0]
    images.images.all_pixels  # noqa: B018 - decoded once and cached, so that an epoch only renders
    vit.requires_grad_(True)
    backbone = Backbone(vit, name=HYBRID, image_size=images.size, mean=LITE_MEAN, std=LITE_STD)
    source = FreshViews(images.images, images.rows, backbone, seed=config.seed, device=device)
    run = _contrastive(config, epochs=config.refine_epochs, lr=config.refine_lr)
    return Trainer(Network(backbone, _head(config, vit)).to(device), source, run)


def _contrastive(config: PretrainConfig, *, epochs: int, lr: float) -> RunConfig:
    """The trainer's configuration of stages (b) and (c)."""
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
    """The hybrid over the CNN's frozen stem, with random or given weights after it.

    Raises:
        InputError: the given weights include trained layers of the frozen stem, so they do not fit its cached maps.
    """
    vit = hybrid_vit()
    rest = load_tensors(config.start) if config.start else without_stem(vit.state_dict())
    frozen = hybrid.stem_names(stride=config.frozen_stride)
    if (config.distill_epochs or config.contrast_epochs) and not rest.keys().isdisjoint(frozen):
        raise InputError(
            f"{config.start} trained its stem before stride {config.frozen_stride}; choose --frozen-stride "
            f"{hybrid.EARLY_STRIDE} if its first stages are the CNN's, or run only stage (c)"
        )
    vit.load_state_dict(joined(_stem_state(), rest))
    freeze_stem(vit, stride=config.frozen_stride)
    return vit


def _stem_state() -> dict[str, torch.Tensor]:
    return load_tensors(BUNDLED[CNN].weights)
