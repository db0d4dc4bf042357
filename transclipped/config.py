"""Every setting of a run, as frozen dataclasses that check themselves.

A configuration is built from flags, from a form or from `config.json`; wherever it comes from,
it cannot exist with a value that makes no sense. `to_dict` and `from_dict` round-trip through JSON.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, get_type_hints

from transclipped.errors import InputError, quoted

MAX_CODEWORDS = 256  # codes are one byte per codebook
MAX_BITS, MAX_DIM = 4096, 4096  # far above what anybody codes with; a head of more would fill a machine's memory
MAX_IMAGES = 10**9  # in a role of a split, or among the hits that count
MAX_SIDE = 2048  # pixels a side of an image that a backbone sees
MAX_EPOCHS, MAX_BATCH, MAX_VIEWS = 100_000, 65_536, 1000
MAX_SEED = 2**32 - 1  # what every generator of random numbers takes
MAX_FLOAT = 1e6  # of any rate, weight or temperature
LONGEST_TEXT = 4096  # characters of a path or name
AUTO = "auto"
SUITED, SUITED_TO_PHOTOGRAPHS = "hybrid-vit", "hybrid-vit-photographs"  # what "auto" becomes
ANNOTATIONS = POTENTIAL, RELEVANT, _ = ("potential", "relevant", "both")  # MIRFLICKR's: 24, 14 stricter ones, all 38
EMBEDDINGS, IDENTITY = "embeddings", "identity"  # the data set without images, and its backbone


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images are retrieved, and which of them train, query and answer.

    Attributes:
        dataset: a registered data set, or "folder".
        data: folder with the images, where the data set is not bundled.
        labels: CSV with labels for a folder of images; folder with the label lists of Flickr25K or NUS-WIDE.
        split: file that names the training, query and database ids, instead of a drawn split.
        annotations: of MIRFLICKR: its 24 "potential" labels, as the hashing literature takes them, its 14 stricter
            "relevant" ones, or "both".
        protocol: "I" or "II" for CIFAR-10; others have "default", and "listed" where lists name the roles.
        validation: images cut from the training set to observe progress, 0 for none.
        train_limit, query_limit, database_limit: at most this many images, None for all.
        seed: of the drawn split.
    """

    dataset: str = "cifar10"
    data: str | None = None
    labels: str | None = None
    annotations: str = POTENTIAL
    split: str | None = None
    protocol: str | None = None
    validation: int = 0
    train_limit: int | None = None
    query_limit: int | None = None
    database_limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_texts("data", self)
        _one_of("data.annotations", self.annotations, ANNOTATIONS)
        _within("data.validation", self.validation, 0, MAX_IMAGES)
        for name in ("train_limit", "query_limit", "database_limit"):
            if getattr(self, name) is not None:
                _within(f"data.{name}", getattr(self, name), 1, MAX_IMAGES)
        _within("data.seed", self.seed, 0, MAX_SEED)


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """The network that turns an image into an embedding.

    Attributes:
        name: a bundled model or any timm model; "auto" becomes the bundled one that suits the data set.
        weights: file with its weights (safetensors, or a torch file of plain tensors), None for the model's own.
        image_size: pixels a side, None for the model's own choice.
        train: "frozen", "last-N" (the last N blocks) or "all".
        pool: "token" takes a transformer's class token, "avg" the mean of its patches; None for the model's own.
    """

    name: str = AUTO
    weights: str | None = None
    image_size: int | None = None
    train: str = "frozen"
    pool: str | None = None

    def __post_init__(self) -> None:
        _check_texts("backbone", self)
        if self.image_size is not None:
            _within("backbone.image_size", self.image_size, 32, MAX_SIDE)
        if not re.fullmatch(r"frozen|all|last-0*[1-9][0-9]{0,2}", self.train):
            raise InputError(f"backbone.train is {quoted(self.train)}; choose frozen, all, or last-N such as last-2")
        if self.pool is not None:
            _one_of("backbone.pool", self.pool, ("token", "avg"))
        changed = self.weights or self.image_size or self.pool or self.train != "frozen"
        if self.name == IDENTITY and changed:
            raise InputError(f"backbone {IDENTITY} passes embeddings on; leave weights, size, pooling and training out")


@dataclass(frozen=True, kw_only=True)
class QuantizerConfig:
    """The product quantizer: M = bits / log₂ K codebooks of K codewords of d = dim / M numbers.

    Attributes:
        bits: length of a code.
        dim: D, width of the embedding.
        codewords: K, a power of two from 2 to 256.
        alpha: α, sharpness of the soft assignment.
    """

    bits: int = 32
    dim: int = 64
    codewords: int = 256
    alpha: float = 10.0

    def __post_init__(self) -> None:
        k = self.codewords
        if not 2 <= k <= MAX_CODEWORDS or k & (k - 1):
            raise InputError(
                f"quantizer.codewords is {quoted(k)}; choose a power of two from 2 to {MAX_CODEWORDS}, "
                "since a code is one byte"
            )
        _within("quantizer.bits", self.bits, 1, MAX_BITS)
        _within("quantizer.dim", self.dim, 1, MAX_DIM)
        if self.bits % self._bits_per_codebook:
            raise InputError(
                f"quantizer.bits is {self.bits}; {k} codewords need a multiple of {self._bits_per_codebook}"
            )
        if self.dim % self.codebooks:
            raise InputError(
                f"quantizer.dim is {self.dim}, which {self.codebooks} codebooks do not divide; "
                f"choose a multiple of {self.codebooks}"
            )
        _positive("quantizer.alpha", self.alpha)

    @property
    def _bits_per_codebook(self) -> int:
        return self.codewords.bit_length() - 1

    @property
    def codebooks(self) -> int:
        """M, the number of codebooks and of bytes per code."""
        return self.bits // self._bits_per_codebook

    @property
    def subspace(self) -> int:
        """d, the width of a sub-vector."""
        return self.dim // self.codebooks


@dataclass(frozen=True, kw_only=True)
class ClippingConfig:
    """Which negatives are taken for false, what happens to them, and from when.

    Attributes:
        rule: a registered rule; `transclipped.clipping` holds them.
        threshold: δ, a cosine similarity in [-1, 1].
        fraction: q, share of an anchor's negatives in [0, 1).
        sigma: c, how many standard deviations above the anchor's mean.
        class_prior: ρ in [0, 1), the share of false negatives that `debiased` assumes.
        treatment: "remove" takes a clipped pair out; "clamp" holds its similarity.
        start, full: fractional epochs where clipping begins and reaches full strength.
        on: embeddings that similarities are taken from: "quantized", "continuous" or "backbone".
    """

    rule: str = "rank"
    threshold: float = 0.6
    fraction: float = 0.05
    sigma: float = 2.0
    class_prior: float = 0.1
    treatment: str = "remove"
    start: float = 0.0
    full: float = 0.0
    on: str = "quantized"

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:  # refuses NaN too
            raise InputError(f"clipping.threshold is {quoted(self.threshold)}; choose a cosine similarity from -1 to 1")
        for name in ("fraction", "class_prior"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"clipping.{name} is {quoted(getattr(self, name))}; choose at least 0 and less than 1")
        _within("clipping.sigma", self.sigma, 0, MAX_FLOAT)
        if not 0 <= self.start <= self.full <= MAX_EPOCHS:
            raise InputError(
                f"clipping needs 0 <= start <= full <= {MAX_EPOCHS:,}, got start {quoted(self.start)} "
                f"and full {quoted(self.full)}"
            )
        _check_texts("clipping", self)
        _one_of("clipping.treatment", self.treatment, ("remove", "clamp"))
        _one_of("clipping.on", self.on, ("quantized", "continuous", "backbone"))


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Temperature of the contrastive loss and weights of the regularisers.

    Attributes:
        temperature: τ > 0, on the cosine scale.
        entropy: λ >= 0, weight of the mean entropy of the soft codes (nats).
        diversity: γ >= 0, weight of the mean cosine between codewords of a codebook.
        name: "nt-xent", or a contrastive loss that a plug-in registers.
    """

    temperature: float = 0.3
    entropy: float = 0.0
    diversity: float = 0.1
    name: str = "nt-xent"

    def __post_init__(self) -> None:
        _check_texts("loss", self)
        _positive("loss.temperature", self.temperature)
        for name in ("entropy", "diversity"):
            _within(f"loss.{name}", getattr(self, name), 0, MAX_FLOAT)


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How long and how fast.

    Attributes:
        epochs: passes over the training images.
        batch: B, images a step; each gives two views.
        optimizer: "adamw" or "sgd".
        lr: peak learning rate of projection and quantizer.
        backbone_lr: peak learning rate of trained backbone blocks.
        weight_decay: decoupled, on matrices of the projection and backbone.
        warmup: fractional epochs of linear warm-up; cosine decay to zero follows.
        views: V, cached views an image: plain, flipped, the rest augmented.
    """

    epochs: int = 6
    batch: int = 256
    optimizer: str = "adamw"
    lr: float = 3e-3
    backbone_lr: float = 3e-4
    weight_decay: float = 1e-4
    warmup: float = 0.5
    views: int = 4

    def __post_init__(self) -> None:
        _within("schedule.epochs", self.epochs, 1, MAX_EPOCHS)
        _within("schedule.batch", self.batch, 2, MAX_BATCH)
        _within("schedule.views", self.views, 2, MAX_VIEWS)
        _one_of("schedule.optimizer", self.optimizer, ("adamw", "sgd"))
        for name in ("lr", "backbone_lr"):
            _positive(f"schedule.{name}", getattr(self, name))
        for name in ("weight_decay", "warmup"):
            _within(f"schedule.{name}", getattr(self, name), 0, MAX_FLOAT)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that a run needs to be repeated.

    Attributes:
        seed: of initial weights, batches and views.
        select: "last" keeps the last epoch; "validation" the one with the best mAP on the validation split.
        validate_every: epochs between two looks at the validation split.
        k: K of mAP@K, None for the data set's own.
        plugin: Python file that registers a rule, loss or backbone of one's own; `plugins.py` runs it, only when asked.
    """

    data: DataConfig = field(default_factory=DataConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    clipping: ClippingConfig = field(default_factory=ClippingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    seed: int = 0
    select: str = "last"
    validate_every: int = 1
    k: int | None = None
    plugin: str | None = None

    def __post_init__(self) -> None:
        if self.backbone.name == AUTO:
            suited = replace(self.backbone, name=suited_backbone(self.data.dataset))
            object.__setattr__(self, "backbone", suited)
        if (self.data.dataset == EMBEDDINGS) != (self.backbone.name == IDENTITY):
            raise InputError(
                f"data set {self.data.dataset!r} with backbone {self.backbone.name!r} cannot be: "
                f"{EMBEDDINGS!r} and {IDENTITY!r} go together, since neither has images"
            )
        _check_texts("settings", self)
        _within("seed", self.seed, 0, MAX_SEED)
        _one_of("select", self.select, ("last", "validation"))
        _within("validate_every", self.validate_every, 1, MAX_EPOCHS)
        if self.k is not None:
            _within("k", self.k, 1, MAX_IMAGES)
        if self.select == "validation" and not self.data.validation:
            raise InputError("select is 'validation' but data.validation is 0; set aside some images, such as 2000")


def suited_backbone(dataset: str) -> str:
    """The bundled backbone for a data set, and the only one for embeddings made elsewhere."""
    if dataset == EMBEDDINGS:
        return IDENTITY
    return SUITED if dataset == "cifar10" else SUITED_TO_PHOTOGRAPHS


def to_dict(config: Any) -> dict[str, Any]:
    """Nested plain dictionary of a configuration, ready for JSON."""
    return asdict(config)


def from_dict(cls: type, values: Any) -> Any:
    """Configuration of type `cls` from a nested dictionary.

    Raises:
        InputError: a key is unknown, a value has the wrong type, or breaks its rule.
    """
    if not isinstance(values, dict):
        raise InputError(f"{cls.__name__} must be a table of settings, got {type(values).__name__}")
    known = {f.name for f in fields(cls)}
    if unknown := sorted(set(values) - known, key=str):
        named = ", ".join(map(str, unknown))[:100]
        raise InputError(f"{cls.__name__} has no setting {named}; known are {', '.join(sorted(known))}")
    hints = _hints(cls)
    return cls(**{name: _converted(cls, name, hints[name], value) for name, value in values.items()})


_hints = cache(get_type_hints)  # evaluates every annotation; pages read the settings of all runs each time


def _converted(cls: type, name: str, kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return from_dict(kind, value)
    if kind is float and type(value) is int and abs(value) <= MAX_FLOAT:  # a larger one may be too large for a float
        return float(value)
    if isinstance(value, bool) or not isinstance(value, kind):
        expected = f"a number up to {MAX_FLOAT:,.0f}" if kind is float else getattr(kind, "__name__", kind)
        raise InputError(f"{cls.__name__}.{name} is {quoted(value)}; expected {expected}")
    return value


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # refuses NaN too
        raise InputError(f"{name} is {quoted(value)}; choose {least} or more, at most {most:,.0f}")


def _positive(name: str, value: float) -> None:
    if not 0 < value <= MAX_FLOAT:
        raise InputError(f"{name} is {quoted(value)}; choose a positive number, at most {MAX_FLOAT:,.0f}")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} is {quoted(value)}; choose one of {', '.join(choices)}")


def _check_texts(section: str, config: Any) -> None:
    """Names and paths are short, and of characters that a file system and a JSON file can hold."""
    for each in fields(config):
        value = getattr(config, each.name)
        if isinstance(value, str) and (len(value) > LONGEST_TEXT or _UNFIT.search(value)):
            raise InputError(
                f"{section}.{each.name} is {quoted(value)}; choose at most {LONGEST_TEXT:,} characters, "
                "none of them a control character"
            )


_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters; halves of characters
