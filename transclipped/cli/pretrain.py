"""`pretrain`: the recipe of the bundled hybrid ViT as a command."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from transclipped.cli.options import add_shared, device_of
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.flags import add_flags, given
from transclipped.utils.progress import with_bars


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_pretrain)
    option = parser.add_argument
    option("--out", type=Path, required=True, help="folder of checkpoints and results; the same command goes on")
    option("--teacher", action="append", metavar="NAME[@SIZE][=FILE]", help="may be repeated (default: the CNN)")
    option("--flips", action="store_true", help="average each teacher over the mirror image")
    option("--views", type=int, help="cached views an image")
    option("--frozen-stride", type=int, help="how far the stem is frozen in stage (a): 16, all of it (default), or 8")
    option("--distill-epochs", type=int, help="of stage (a), 0 skips it")
    option("--contrast-epochs", type=int, help="of stage (b), 0 skips it")
    option("--refine-epochs", type=int, help="of stage (c), through the stem, for accelerators (default 0)")
    option("--batch", type=int, help="images a step")
    option("--distill-lr", type=float, help="peak learning rate of stage (a)")
    option("--blocks-lr", type=float, help="of the blocks in stage (b)")
    option("--head-lr", type=float, help="of head and quantizer in stages (b) and (c)")
    option("--refine-lr", type=float, help="of stem and blocks in stage (c)")
    option("--temperature", type=float, help="of stages (b) and (c)")
    option("--bits", type=int, help="of the quantizer that trains along in stages (b) and (c)")
    option("--neighbours", type=int, help="of an image, whose views may stand for its second one in stage (b)")
    option("--neighbour-share", type=float, help="of the pairs that they do it for")
    option("--start", help="file with hybrid weights to begin from")
    option("--limit", type=int, help="images of each set, for trials")
    option("--seed", type=int)
    option("--minutes", type=float, help="wall-clock budget; what is left waits for the next call")
    add_shared(parser, device=True)
    add_flags(parser, sections=("clipping",))


def _pretrain(arguments: argparse.Namespace) -> int:
    from dataclasses import fields, replace

    from transclipped.experiments.pretrain.recipe import RESULT, BudgetSpent, PretrainConfig, pretrain

    if arguments.minutes is not None and not arguments.minutes > 0:
        raise InputError(f"--minutes is {arguments.minutes}; choose a positive number")
    spelled = {"teachers": tuple(arguments.teacher or ()), **vars(arguments)}
    names = {field.name for field in fields(PretrainConfig)}
    settings = {name: value for name, value in spelled.items() if name in names and value not in (None, ())}
    clipping = {path.removeprefix("clipping."): value for path, value in given(arguments).items()}
    config = PretrainConfig(**settings, clipping=replace(ClippingConfig(rule="adaptive"), **clipping))
    work = pretrain(config, arguments.out, minutes=arguments.minutes, device=device_of(arguments))
    finished = True
    try:
        for _ in with_bars(work):
            pass
    except BudgetSpent:
        finished = False
        print("the budget is spent; the same command goes on", file=sys.stderr)
    result = {"finished": finished, "weights": str(arguments.out / RESULT) if finished else None}
    print(json.dumps(result) if arguments.json else f"weights {result['weights'] or 'to come'}")
    return 0
