"""How the command line spells a configuration, and a configuration the command that repeats it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from transclipped.clipping import AMOUNTS, RULES
from transclipped.config import ANNOTATIONS, AUTO, DataConfig, RunConfig, from_dict, suited_backbone, to_dict

FEWER = ", adapted to few images"
SIZED = ("schedule.batch", "schedule.epochs")  # settings whose defaults depend on the number of images
BUNDLED = ("cifar10", "caltech101", "collage")  # data sets of 2,000 images and more


@dataclass(frozen=True)
class Flag:
    """One flag: its name, where its value lives ("section.field" or "field"), its type and help."""

    name: str
    path: str
    kind: type
    help: str
    choices: tuple[str, ...] | None = None

    @property
    def dest(self) -> str:
        """Attribute of the parsed arguments."""
        return "set_" + self.path.replace(".", "_")


FLAGS = (
    Flag("--dataset", "data.dataset", str, "data set; `datasets` lists them"),
    Flag("--data", "data.data", str, "folder with the images, where they are not bundled; or file of embeddings"),
    Flag("--labels", "data.labels", str, "CSV for a folder of images; folder of lists for mirflickr, nuswide"),
    Flag("--annotations", "data.annotations", str, "labels of mirflickr: 24, 14 stricter ones, or both", ANNOTATIONS),
    Flag("--split", "data.split", str, "file that names training, query and database ids"),
    Flag("--protocol", "data.protocol", str, "I or II for CIFAR-10; default or listed for mirflickr, nuswide"),
    Flag("--validation", "data.validation", int, "images cut from the training set to observe progress"),
    Flag(
        "--train-limit",
        "data.train_limit",
        int,
        "train on at most this many; the database is encoded all the same",
    ),
    Flag("--query-limit", "data.query_limit", int, "measure at most this many queries"),
    Flag("--database-limit", "data.database_limit", int, "search among, and encode, at most this many images"),
    Flag("--split-seed", "data.seed", int, "seed of the drawn split"),
    Flag("--backbone", "backbone.name", str, "bundled model, or any of timm's"),
    Flag("--weights", "backbone.weights", str, "file with the backbone's weights"),
    Flag("--image-size", "backbone.image_size", int, "pixels a side"),
    Flag("--backbone-train", "backbone.train", str, "frozen, last-N or all"),
    Flag("--pool", "backbone.pool", str, "what a transformer's embedding is", ("token", "avg")),
    Flag("--bits", "quantizer.bits", int, "length of a code"),
    Flag("--dim", "quantizer.dim", int, "width D of the embedding"),
    Flag("--codewords", "quantizer.codewords", int, "codewords K of a codebook"),
    Flag("--alpha", "quantizer.alpha", float, "sharpness of the soft assignment"),
    Flag("--clip", "clipping.rule", str, "clipping rule"),
    *(Flag(amount.flag, f"clipping.{amount.field}", float, amount.help) for amount in AMOUNTS),
    Flag("--clip-treatment", "clipping.treatment", str, "of a clipped pair", ("remove", "clamp")),
    Flag("--clip-start", "clipping.start", float, "epoch where clipping begins"),
    Flag("--clip-full", "clipping.full", float, "epoch of full strength"),
    Flag("--clip-on", "clipping.on", str, "embeddings that are compared", ("quantized", "continuous", "backbone")),
    Flag("--loss", "loss.name", str, "contrastive loss, or one that a plug-in registers"),
    Flag("--temperature", "loss.temperature", float, "of the contrastive loss"),
    Flag("--entropy", "loss.entropy", float, "weight of the soft codes' entropy"),
    Flag("--diversity", "loss.diversity", float, "weight of the similarity between codewords"),
    Flag("--epochs", "schedule.epochs", int, "passes over the training images"),
    Flag("--batch", "schedule.batch", int, "images a step"),
    Flag("--optimizer", "schedule.optimizer", str, "of head and backbone", ("adamw", "sgd")),
    Flag("--lr", "schedule.lr", float, "peak learning rate of the head"),
    Flag("--backbone-lr", "schedule.backbone_lr", float, "peak learning rate of trained backbone blocks"),
    Flag("--weight-decay", "schedule.weight_decay", float, "of matrices"),
    Flag("--warmup", "schedule.warmup", float, "epochs of linear warm-up"),
    Flag("--views", "schedule.views", int, "cached views of an image"),
    Flag("--seed", "seed", int, "of weights, batches and views"),
    Flag("--select", "select", str, "epoch that is kept", ("last", "validation")),
    Flag("--validate-every", "validate_every", int, "epochs between two looks at the validation split"),
    Flag("--k", "k", int, "K of mAP@K"),
    Flag("--plugin", "plugin", str, "Python file that registers a clipping rule, loss or backbone of your own"),
)


def add_flags(parser: argparse.ArgumentParser, *, sections: tuple[str, ...] | None = None) -> None:
    """Give a parser the flags of a configuration, or of some sections of it; absent ones stay unset."""
    defaults = _flat(to_dict(RunConfig()))
    for flag in FLAGS:
        if sections is None or flag.path.partition(".")[0] in sections:
            default = AUTO if flag.path == "backbone.name" else defaults[flag.path]
            note = "" if default is None else f" (default {default}{FEWER if flag.path in SIZED else ''})"
            if flag.path == "clipping.rule":
                note = f": {', '.join(RULES)}{note}".replace("%", "%%")
            parser.add_argument(
                flag.name,
                dest=flag.dest,
                type=flag.kind,
                choices=flag.choices,
                default=None,
                metavar=None if flag.choices else flag.kind.__name__.upper(),
                help=flag.help + note,
            )


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that a person spelled out, by path."""
    values = {flag.path: getattr(arguments, flag.dest, None) for flag in FLAGS}
    return {path: value for path, value in values.items() if value is not None}


def configured(base: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """`base` with the settings of `changes`, by path; a backbone that suited the data set goes on doing so.

    Raises:
        InputError: a setting breaks its rule.
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
    return _flat(to_dict(config))


def arguments(config: RunConfig, *, spelled_out: Collection[str] = ()) -> list[str]:
    """Flags that spell what differs from the defaults, some of which follow from the data set.

    Args:
        spelled_out: settings by path that are spelled in any case.
    """
    mine, data = settings(config), DataConfig()
    suited = settings(RunConfig(data=replace(data, dataset=config.data.dataset)))
    defaults = suited | {"data.dataset": data.dataset}
    spelled = []
    for flag in FLAGS:
        if mine[flag.path] != defaults[flag.path] or flag.path in spelled_out:
            spelled += [flag.name, str(mine[flag.path])]
    return spelled


def exact(config: RunConfig) -> list[str]:
    """Flags that train with just this configuration, whatever the number of images.

    With few images `train` changes the defaults of `SIZED` that are not spelled. Of a bundled set without limits the
    number is known, and large enough for all of them.
    """
    data = config.data
    limits = (data.split, data.train_limit, data.database_limit, data.validation or None)
    known = data.dataset in BUNDLED and limits == (None,) * len(limits)
    return arguments(config, spelled_out=() if known else SIZED)


def command(config: RunConfig, run: str) -> str:
    """The command that repeats a run, quoted for a shell."""
    return shlex.join(["python", "-m", "transclipped", "train", *exact(config), "--run", run])


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": v for inner, v in value.items()}
        else:
            flat[name] = value
    return flat
