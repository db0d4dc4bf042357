"""Flags of a configuration, and the command that repeats a run."""

import argparse
import shlex
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from transclipped.clipping import AMOUNTS, RULES
from transclipped.config import (
    ANNOTATIONS,
    AUTO,
    GREYS,
    OBJECTIVE_NAMES,
    DataConfig,
    RunConfig,
    from_dict,
    suited_backbone,
    to_dict,
)

FEWER = ", other values for few images"
SIZED = ("schedule.batch", "schedule.epochs")  # their defaults depend on the number of images
BUNDLED = ("cifar10", "caltech101", "collage")  # data sets of 2,000 images or more


@dataclass(frozen=True)
class Flag:
    """A flag: name, path of its setting ("section.field" or "field"), type and help."""

    name: str
    path: str
    kind: type
    help: str
    choices: tuple[str, ...] | None = None

    @property
    def dest(self) -> str:
        """Name of its attribute in the parsed arguments."""
        return "set_" + self.path.replace(".", "_")


FLAGS = (
    Flag("--dataset", "data.dataset", str, "data set; `datasets list` shows them"),
    Flag("--data", "data.data", str, "folder of the images, if they are not bundled; or file of embeddings"),
    Flag("--labels", "data.labels", str, "labels of a folder of images; folder of lists for mirflickr and nuswide"),
    Flag("--annotations", "data.annotations", str, "mirflickr's labels: 24, 14 stricter ones, or both", ANNOTATIONS),
    Flag("--split", "data.split", str, "file with training, query and database ids (default: a random split)"),
    Flag("--protocol", "data.protocol", str, "cifar10: I (default) or II; mirflickr and nuswide: default or listed"),
    Flag("--validation", "data.validation", int, "number of training images held out for monitoring"),
    Flag("--train-limit", "data.train_limit", int, "maximum number of training images (default: all)"),
    Flag("--query-limit", "data.query_limit", int, "maximum number of queries (default: all)"),
    Flag("--database-limit", "data.database_limit", int, "maximum number of database images (default: all)"),
    Flag("--split-seed", "data.seed", int, "seed of the random split, 0 or more"),
    Flag("--backbone", "backbone.name", str, "bundled model, or any timm model"),
    Flag("--weights", "backbone.weights", str, "file with the backbone's weights (default: the pretrained ones)"),
    Flag("--image-size", "backbone.image_size", int, "side of the images in pixels, 32 to 2048 (default: the model's)"),
    Flag("--backbone-train", "backbone.train", str, "trainable layers: frozen, last-N (the last N blocks) or all"),
    Flag("--pool", "backbone.pool", str, "class token or mean of the patches (default: the model's)", ("token", "avg")),
    Flag("--grey", "backbone.grey", str, "recipe for images of one channel (default: colour)", GREYS),
    Flag("--bits", "quantizer.bits", int, "code length, a multiple of the base-2 logarithm of --codewords"),
    Flag("--dim", "quantizer.dim", int, "width D of the embedding, a multiple of the number of codebooks"),
    Flag("--codewords", "quantizer.codewords", int, "codewords K per codebook, a power of two from 2 to 256"),
    Flag("--alpha", "quantizer.alpha", float, "sharpness α of the soft assignment, above 0"),
    Flag("--clip", "clipping.rule", str, "clipping rule"),
    *(Flag(amount.flag, f"clipping.{amount.field}", float, amount.help) for amount in AMOUNTS),
    Flag("--clip-treatment", "clipping.treatment", str, "remove clipped pairs, or clamp them", ("remove", "clamp")),
    Flag("--clip-start", "clipping.start", float, "epoch where clipping starts, such as 0.5"),
    Flag("--clip-full", "clipping.full", float, "epoch where clipping reaches full strength"),
    Flag("--clip-on", "clipping.on", str, "embeddings to compare", ("quantized", "continuous", "backbone")),
    Flag(
        "--objective",
        "loss.objective",
        str,
        "what the head learns from; the last three clip nothing",
        OBJECTIVE_NAMES,
    ),
    Flag("--loss", "loss.name", str, "contrastive loss, nt-xent or one from a plug-in"),
    Flag("--temperature", "loss.temperature", float, "temperature τ of the contrastive loss, above 0"),
    Flag("--entropy", "loss.entropy", float, "weight λ of the entropy of soft codes, 0 or more"),
    Flag("--diversity", "loss.diversity", float, "weight γ of the similarity between codewords, 0 or more"),
    Flag("--epochs", "schedule.epochs", int, "passes over the training images, 1 or more"),
    Flag("--batch", "schedule.batch", int, "batch size, 2 or more"),
    Flag("--optimizer", "schedule.optimizer", str, "optimizer of head and backbone", ("adamw", "sgd")),
    Flag("--lr", "schedule.lr", float, "peak learning rate of the head"),
    Flag("--backbone-lr", "schedule.backbone_lr", float, "peak learning rate of trained backbone blocks"),
    Flag("--weight-decay", "schedule.weight_decay", float, "weight decay of matrices, 0 or more"),
    Flag("--warmup", "schedule.warmup", float, "epochs of linear warm-up, such as 0.5"),
    Flag("--views", "schedule.views", int, "cached views per image, 2 or more"),
    Flag("--seed", "seed", int, "seed of weights, batches and views, 0 or more"),
    Flag("--select", "select", str, "checkpoint to store: last, or best by validation mAP", ("last", "validation")),
    Flag("--validate-every", "validate_every", int, "epochs between validations"),
    Flag("--k", "k", int, "K of mAP@K (default: the data set's)"),
    Flag("--plugin", "plugin", str, "Python file with a custom clipping rule, loss or backbone"),
)


DEFAULTS = RunConfig()


def add_flags(parser: argparse.ArgumentParser, *, sections: Collection[str] = (), base: RunConfig = DEFAULTS) -> None:
    """Add the flags of a configuration, or of some `sections`; the help shows the values of `base` as defaults."""
    defaults = settings(base)
    for flag in FLAGS:
        if not sections or flag.path.partition(".")[0] in sections:
            default = AUTO if flag.path == "backbone.name" else defaults[flag.path]
            note = "" if default is None else f" (default {default}{FEWER if flag.path in SIZED else ''})"
            if flag.path == "clipping.rule":
                note = f": {', '.join(RULES)}{note}".replace("%", "%%")
            parser.add_argument(
                flag.name,
                dest=flag.dest,
                type=flag.kind,
                choices=flag.choices,
                metavar=None if flag.choices else flag.kind.__name__.upper(),
                help=flag.help + note,
            )


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings given on the command line, by path."""
    values = {flag.path: getattr(arguments, flag.dest, None) for flag in FLAGS}
    return {path: value for path, value in values.items() if value is not None}


def configured(base: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """`base` with the settings of `changes`, by path; a default backbone follows the data set.

    Raises:
        InputError: a setting is invalid.
    """
    values = to_dict(base)
    if base.backbone.name == suited_backbone(base.data.dataset):
        values["backbone"]["name"] = AUTO
    for path, value in changes.items():
        section, _, name = path.rpartition(".")
        (values[section] if section else values)[name] = value
    return from_dict(RunConfig, values)


def settings(config: RunConfig) -> dict[str, Any]:
    """All settings of a configuration by path."""
    flat = {}
    for name, value in to_dict(config).items():
        flat |= {f"{name}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def arguments(config: RunConfig, *, spelled_out: Collection[str] = ()) -> list[str]:
    """Flags for the settings that differ from the defaults, some of which depend on the data set.

    Args:
        spelled_out: paths of settings to include in any case.
    """
    values, default = settings(config), DataConfig()
    defaults = settings(RunConfig(data=replace(default, dataset=config.data.dataset)))
    defaults["data.dataset"] = default.dataset
    flags = [flag for flag in FLAGS if values[flag.path] != defaults[flag.path] or flag.path in spelled_out]
    return [word for flag in flags for word in (flag.name, str(values[flag.path]))]


def exact(config: RunConfig) -> list[str]:
    """Flags that train with exactly this configuration, whatever the number of images.

    With few images `train` changes the defaults of `SIZED`, so these flags are included unless the data set is a
    bundled one without limits, which has enough images.
    """
    data = config.data
    limited = data.split is not None or data.validation or (data.train_limit, data.database_limit) != (None, None)
    return arguments(config, spelled_out=() if data.dataset in BUNDLED and not limited else SIZED)


def command(config: RunConfig, run: str) -> str:
    """The command that repeats a run, quoted for a shell."""
    return shlex.join(["python", "-m", "transclipped", "train", *exact(config), "--run", run])
