"""Every setting of a run, as frozen dataclasses that check themselves.

Flags, a form or `config.json` build a configuration, and an invalid value raises an `InputError` in each case.
`to_dict` and `from_dict` round-trip through JSON.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, get_type_hints

from transclipped.errors import InputError, quoted

MAX_CODEWORDS = 256  # codes are one byte per codebook
MAX_BITS, MAX_DIM = 4096, 4096  # far above common codes; a larger head could fill the memory
MAX_IMAGES = 10**9  # per role of a split, and for K of mAP@K
MAX_SIDE = 2048  # side of a backbone's input in pixels
MAX_EPOCHS, MAX_BATCH, MAX_VIEWS = 100_000, 65_536, 1000
MAX_SEED = 2**32 - 1  # accepted by every random number generator
MAX_FLOAT = 1e6  # for rates, weights and temperatures
LONGEST_TEXT = 4096  # characters in a path or name
AUTO = "auto"
NT_XENT, SIMCLR, MOCO, BYOL = "nt-xent", "simclr", "moco", "byol"
WITHOUT_NEGATIVES = (BYOL, "barlow", "vicreg")  # objectives with nothing to clip
OBJECTIVE_NAMES = (SIMCLR, MOCO, *WITHOUT_NEGATIVES)  # `training.objectives`
SUITED, SUITED_TO_PHOTOGRAPHS = "hybrid-vit", "hybrid-vit-photographs"  # replace "auto"
ANNOTATIONS = POTENTIAL, RELEVANT, _ = ("potential", "relevant", "both")  # MIRFLICKR's: 24, 14 stricter ones, all 38
GREYS = ("wv-net",)  # recipes for images of one channel
EMBEDDINGS, IDENTITY = "embeddings", "identity"  # the data set without images, and its backbone


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The images, and which of them are training set, queries and database.

    Attributes:
        dataset: name of a registered data set, such as "cifar10" or "folder".
        data: folder of the images, if they are not bundled.
        labels: file with labels for a folder of images; folder with the label lists of Flickr25K or NUS-WIDE.
        split: file that lists the training, query and database ids, instead of a random split.
        annotations: MIRFLICKR's 24 "potential" labels, as in the hashing literature, its 14 stricter "relevant" ones,
            or "both".
        protocol: "I" or "II" for CIFAR-10; "default" otherwise, or "listed" if lists give the roles.
        validation: number of training images held out for monitoring.
        train_limit, query_limit, database_limit: maximum number of images, None for all.
        seed: of the random split.
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
        _check_texts("data.", self)
        _one_of("data.", self, "annotations", ANNOTATIONS)
        _within("data.", self, 0, MAX_IMAGES, "validation")
        _within("data.", self, 1, MAX_IMAGES, "train_limit", "query_limit", "database_limit")
        _within("data.", self, 0, MAX_SEED, "seed")


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """The network that turns an image into an embedding.

    Attributes:
        name: a bundled model or any timm model; "auto" becomes the bundled model that suits the data set.
        weights: file of weights (safetensors, or a torch file of plain tensors); None for the model's pretrained ones.
        image_size: side of the input in pixels; None for the model's default.
        train: trainable layers: "frozen", "last-N" (the last N blocks) or "all".
        pool: "token" (class token of a transformer) or "avg" (mean of its patches); None for the model's default.
        grey: recipe for images of one channel, such as "wv-net"; None for colour. It sets frame and normalisation.
    """

    name: str = AUTO
    weights: str | None = None
    image_size: int | None = None
    train: str = "frozen"
    pool: str | None = None
    grey: str | None = None

    def __post_init__(self) -> None:
        _check_texts("backbone.", self)
        _within("backbone.", self, 32, MAX_SIDE, "image_size")
        if not re.fullmatch(r"frozen|all|last-0*[1-9][0-9]{0,2}", self.train):
            raise InputError(f"backbone.train is {quoted(self.train)}; choose frozen, all, or last-N such as last-2")
        if self.pool is not None:
            _one_of("backbone.", self, "pool", ("token", "avg"))
        if self.grey is not None:
            _one_of("backbone.", self, "grey", GREYS)
        given = self.weights or self.image_size or self.pool or self.grey or self.train != "frozen"
        if self.name == IDENTITY and given:
            raise InputError(f"backbone {IDENTITY} has no network; leave weights, image_size, pool, grey and train out")


@dataclass(frozen=True, kw_only=True)
class QuantizerConfig:
    """The product quantizer: M = bits / log₂ K codebooks, each of K codewords of width d = dim / M.

    Attributes:
        bits: code length.
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
            raise InputError(f"quantizer.codewords is {quoted(k)}; choose a power of two from 2 to {MAX_CODEWORDS}")
        _within("quantizer.", self, 1, MAX_BITS, "bits")
        _within("quantizer.", self, 1, MAX_DIM, "dim")
        per_codebook = k.bit_length() - 1
        if self.bits % per_codebook:
            raise InputError(f"quantizer.bits is {self.bits}; {k} codewords need a multiple of {per_codebook}")
        m = self.codebooks
        if self.dim % m:
            raise InputError(
                f"quantizer.dim is {self.dim}, which {m} codebooks do not divide; choose a multiple of {m}"
            )
        _positive("quantizer.", self, "alpha")

    @property
    def codebooks(self) -> int:
        """M, the number of codebooks and of bytes per code."""
        return self.bits // (self.codewords.bit_length() - 1)

    @property
    def subspace(self) -> int:
        """d, the width of a sub-vector."""
        return self.dim // self.codebooks


@dataclass(frozen=True, kw_only=True)
class ClippingConfig:
    """Which negatives count as false, how they are treated, and from which epoch.

    Attributes:
        rule: name of a rule registered in `transclipped.clipping`.
        threshold: δ, a cosine similarity in [-1, 1].
        fraction: q, share of an anchor's negatives in [0, 1).
        sigma: c >= 0, number of standard deviations above the anchor's mean similarity.
        class_prior: ρ in [0, 1), the share of false negatives that `debiased` assumes.
        treatment: "remove" leaves a clipped pair out of the loss; "clamp" limits its similarity.
        start, full: epochs (may be fractional) where clipping starts and reaches full strength.
        on: embeddings whose similarities are compared: "quantized", "continuous" or "backbone".
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
        _within("clipping.", self, 0, MAX_FLOAT, "sigma")
        if not 0 <= self.start <= self.full <= MAX_EPOCHS:
            raise InputError(
                f"clipping needs 0 <= start <= full <= {MAX_EPOCHS:,}, got start {quoted(self.start)} "
                f"and full {quoted(self.full)}"
            )
        _check_texts("clipping.", self)
        _one_of("clipping.", self, "treatment", ("remove", "clamp"))
        _one_of("clipping.", self, "on", ("quantized", "continuous", "backbone"))


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Temperature of the contrastive loss and weights of the regularisers.

    Attributes:
        temperature: τ > 0, on the cosine scale.
        entropy: λ >= 0, weight of the mean entropy of the soft codes (nats).
        diversity: γ >= 0, weight of the mean cosine between codewords of a codebook.
        name: "nt-xent", or a contrastive loss from a plug-in.
        objective: what the head learns from: "simclr" applies the loss `name` to the batch; the others have losses of
            their own.
    """

    temperature: float = 0.3
    entropy: float = 0.0
    diversity: float = 0.1
    name: str = NT_XENT
    objective: str = SIMCLR

    def __post_init__(self) -> None:
        _check_texts("loss.", self)
        _one_of("loss.", self, "objective", OBJECTIVE_NAMES)
        if self.name != NT_XENT and self.objective != SIMCLR:
            raise InputError(
                f"loss.name is {quoted(self.name)}, which needs loss.objective {SIMCLR}; leave one of them out"
            )
        _positive("loss.", self, "temperature")
        _within("loss.", self, 0, MAX_FLOAT, "entropy", "diversity")


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Length, batch size and optimizer of a training.

    Attributes:
        epochs: passes over the training images.
        batch: B, images per step; each gives two views.
        optimizer: "adamw" or "sgd".
        lr: peak learning rate of projection and quantizer.
        backbone_lr: peak learning rate of trained backbone blocks.
        weight_decay: decoupled, on matrices of projection and backbone.
        warmup: epochs (may be fractional) of linear warm-up, before cosine decay to zero.
        views: V, cached views per image: plain, flipped, the others augmented.
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
        _within("schedule.", self, 1, MAX_EPOCHS, "epochs")
        _within("schedule.", self, 2, MAX_BATCH, "batch")
        _within("schedule.", self, 2, MAX_VIEWS, "views")
        _one_of("schedule.", self, "optimizer", ("adamw", "sgd"))
        _positive("schedule.", self, "lr", "backbone_lr")
        _within("schedule.", self, 0, MAX_FLOAT, "weight_decay", "warmup")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that repeating a run needs.

    Attributes:
        seed: of initial weights, batches and views.
        select: "last" stores the last epoch; "validation" the one with the best mAP on the validation images.
        validate_every: epochs between validations.
        k: K of mAP@K; None for the data set's default.
        plugin: Python file with a custom rule, loss or backbone; see `plugins.py` for when it is executed.
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
                f"data set {self.data.dataset!r} does not work with backbone {self.backbone.name!r}: "
                f"{EMBEDDINGS!r} and {IDENTITY!r} go together, since neither has images"
            )
        _check_texts("", self)
        _within("", self, 0, MAX_SEED, "seed")
        _one_of("", self, "select", ("last", "validation"))
        _within("", self, 1, MAX_EPOCHS, "validate_every")
        _within("", self, 1, MAX_IMAGES, "k")
        if self.loss.objective == MOCO and self.clipping.rule == "debiased":
            raise InputError(
                f"clipping.rule debiased corrects the sum over a batch; with loss.objective {MOCO} choose another rule"
            )
        if self.select == "validation" and not self.data.validation:
            raise InputError("select is 'validation' but data.validation is 0; hold out some images, such as 2000")


def suited_backbone(dataset: str) -> str:
    """The default backbone for a data set; for imported embeddings, the only one."""
    if dataset == EMBEDDINGS:
        return IDENTITY
    return SUITED if dataset == "cifar10" else SUITED_TO_PHOTOGRAPHS


def to_dict(config: Any) -> dict[str, Any]:
    """Nested dictionary of a configuration, ready for JSON."""
    return asdict(config)


def from_dict(cls: type, values: Any) -> Any:
    """Configuration of type `cls` from a nested dictionary.

    Raises:
        InputError: a key is unknown, or a value has the wrong type or is out of range.
    """
    section = "" if cls is RunConfig else cls.__name__.removesuffix("Config").lower()
    what = section or "the configuration"
    if not isinstance(values, dict):
        raise InputError(f"{what} must be a table of settings, got {type(values).__name__}")
    names = {f.name for f in fields(cls)}
    if unknown := sorted(set(values) - names, key=str):
        text = ", ".join(map(str, unknown))[:100]
        raise InputError(f"{what} has no setting {text}; choose from {', '.join(sorted(names))}")
    hints = _hints(cls)
    path = f"{section}." if section else ""
    return cls(**{name: _converted(path + name, hints[name], value) for name, value in values.items()})


_hints = cache(get_type_hints)  # slow, and pages read the settings of all runs on each rerun


def _converted(path: str, kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return from_dict(kind, value)
    if kind is float and type(value) is int and abs(value) <= MAX_FLOAT:  # float() fails on huge integers
        return float(value)
    if isinstance(value, bool) or not isinstance(value, kind):
        expected = f"a number up to {MAX_FLOAT:,.0f}" if kind is float else getattr(kind, "__name__", kind)
        raise InputError(f"{path} is {quoted(value)}; expected {expected}")
    return value


def _within(section: str, config: Any, least: float, most: float, *names: str) -> None:
    """Check that numbers are in range, or None."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not least <= value <= most:  # refuses NaN too
            raise InputError(f"{section}{name} is {quoted(value)}; choose {least} or more, at most {most:,.0f}")


def _positive(section: str, config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not 0 < value <= MAX_FLOAT:
            raise InputError(f"{section}{name} is {quoted(value)}; choose a positive number, at most {MAX_FLOAT:,.0f}")


def _one_of(section: str, config: Any, name: str, choices: tuple[str, ...]) -> None:
    if getattr(config, name) not in choices:
        raise InputError(f"{section}{name} is {quoted(getattr(config, name))}; choose one of {', '.join(choices)}")


def _check_texts(section: str, config: Any) -> None:
    """Check that file systems and JSON files can hold the names and paths."""
    for name in (each.name for each in fields(config)):
        value = getattr(config, name)
        if isinstance(value, str) and (len(value) > LONGEST_TEXT or _UNFIT.search(value)):
            raise InputError(
                f"{section}{name} is {quoted(value)}; choose at most {LONGEST_TEXT:,} characters, "
                "without control characters"
            )


_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters and lone surrogates
