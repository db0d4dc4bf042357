"""`backbones`: what can be chosen."""

from __future__ import annotations

import argparse
import json

from transclipped.cli.options import add_shared
from transclipped.errors import InputError


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_backbones)
    option = parser.add_argument
    option("word", nargs="?", help="list all of timm's pretrained networks whose name has this in it")
    option("--measure", action="store_true", help="time each on this machine, in images a second")
    add_shared(parser)


def _backbones(arguments: argparse.Namespace) -> int:
    from transclipped.models import catalogue

    entries = catalogue.entries(arguments.word)
    if not entries:
        raise InputError(f"no pretrained network of timm has {arguments.word!r} in its name; try vit, dino or resnet")
    lines = [entry.to_dict() for entry in entries]
    if arguments.measure:
        for line in lines:
            line["pictures_per_s"] = round(catalogue.speed(line["name"]), 1)
    if arguments.json:
        print(json.dumps(lines, ensure_ascii=False))
        return 0
    speed = f"{'images/s':>10}" if arguments.measure else ""
    print(f"{'name':<44} {'trained':<11} {'parameters':>10} {'size':>7}  {'pooled':<6} {'weights':<8}{speed}")
    for line in lines:
        speed = f"{line['pictures_per_s']:>10.1f}" if arguments.measure else ""
        print(
            f"{line['name']:<44} {line['kind']:<11} {line['parameters'] / 1e6:>8.1f} M {line['image_size']:>4} px  "
            f"{line['pool']:<6} {line['available']:<8}{speed}"
        )
    print("\n" + catalogue.HOW_TO_BRING)
    return 0
