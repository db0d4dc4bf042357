"""`pretrain`: the recipe of the bundled hybrid ViT as a command."""

import argparse
import sys
from pathlib import Path

from transclipped.cli.options import add_shared, device_of, finish, print_result
from transclipped.config import ClippingConfig, RunConfig
from transclipped.errors import InputError
from transclipped.flags import add_flags, given

ADAPTIVE = ClippingConfig(rule="adaptive")


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--out", type=Path, required=True, help="folder of checkpoints and results; rerun to resume")
    option("--teacher", action="append", metavar="NAME[@SIZE][=FILE]", help="teacher, repeatable (default: the CNN)")
    option("--flips", action="store_true", help="average each teacher's embeddings of an image and its mirror image")
    option("--views", type=int, help="cached views per image (default 4)")
    option("--frozen-stride", type=int, help="stage (a) freezes the stem up to this stride, 8 or 16 (default 16)")
    option("--distill-epochs", type=int, help="epochs of stage (a), 0 to skip it (default 6)")
    option("--contrast-epochs", type=int, help="epochs of stage (b), 0 to skip it (default 3)")
    option("--refine-epochs", type=int, help="epochs of stage (c), which also trains the stem (default 0)")
    option("--batch", type=int, help="batch size (default 256)")
    option("--distill-lr", type=float, help="peak learning rate in stage (a) (default 0.001)")
    option("--blocks-lr", type=float, help="peak learning rate of the blocks in stage (b) (default 0.0003)")
    option("--head-lr", type=float, help="peak learning rate of the head in stages (b) and (c) (default 0.003)")
    option("--refine-lr", type=float, help="peak learning rate of stem and blocks in stage (c) (default 5e-05)")
    option("--temperature", type=float, help="temperature in stages (b) and (c) (default 0.2)")
    option("--bits", type=int, help="code length of the head in stages (b) and (c) (default 32)")
    option("--neighbours", type=int, help="k nearest neighbours used as positives in stage (b) (default 0)")
    option("--neighbour-share", type=float, help="share of pairs that use them, 0 to 1 (default 0.5)")
    option("--start", help="file with the hybrid's initial weights (default: random)")
    option("--limit", type=int, help="maximum number of images per data set, for trials (default: all)")
    option("--seed", type=int, help="seed of weights, batches and views (default 0)")
    option("--minutes", type=float, help="stop after this many minutes; rerun to resume")
    add_shared(parser, device=True)
    add_flags(parser, sections=("clipping",), base=RunConfig(clipping=ADAPTIVE))


def run(arguments: argparse.Namespace) -> None:
    from dataclasses import fields, replace

    from transclipped.experiments.pretrain.recipe import RESULT, BudgetSpent, PretrainConfig, pretrain

    if arguments.minutes is not None and not arguments.minutes > 0:
        raise InputError(f"--minutes is {arguments.minutes}; choose a positive number")
    options = {"teachers": tuple(arguments.teacher or ()), **vars(arguments)}
    names = {field.name for field in fields(PretrainConfig)}
    settings = {name: value for name, value in options.items() if name in names and value not in (None, ())}
    clipping = {path.removeprefix("clipping."): value for path, value in given(arguments).items()}
    config = PretrainConfig(**settings, clipping=replace(ADAPTIVE, **clipping))
    weights = str(arguments.out / RESULT)
    try:
        finish(pretrain(config, arguments.out, minutes=arguments.minutes, device=device_of(arguments)))
    except BudgetSpent:
        print("stopped after --minutes; rerun to resume", file=sys.stderr)
        return print_result(arguments, {"finished": False, "weights": None}, "no weights yet")
    print_result(arguments, {"finished": True, "weights": weights}, f"weights {weights}")
