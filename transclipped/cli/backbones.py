"""`backbones`: the networks to choose from."""

import argparse

from transclipped.cli.options import add_shared, print_result
from transclipped.errors import InputError


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("word", nargs="?", help="list all pretrained timm models whose name contains this word")
    option("--measure", action="store_true", help="measure the speed of each on this machine, in images per second")
    add_shared(parser)


def run(arguments: argparse.Namespace) -> None:
    from transclipped.models import catalogue

    entries = catalogue.entries(arguments.word)
    if not entries:
        raise InputError(f"no pretrained timm model has {arguments.word!r} in its name; try vit, dino or resnet")
    lines = [entry.to_dict() for entry in entries]
    if arguments.measure:
        for line in lines:
            line["pictures_per_s"] = round(catalogue.speed(line["name"]), 1)
    speed = f"{'images/s':>10}" if arguments.measure else ""
    text = f"{'name':<44} {'trained':<11} {'parameters':>10} {'size':>7}  {'pooled':<6} {'weights':<8}{speed}\n"
    for line in lines:
        speed = f"{line['pictures_per_s']:>10.1f}" if arguments.measure else ""
        text += (
            f"{line['name']:<44} {line['kind']:<11} {line['parameters'] / 1e6:>8.1f} M {line['image_size']:>4} px  "
            f"{line['pool']:<6} {line['available']:<8}{speed}\n"
        )
    print_result(arguments, lines, f"{text}\n{catalogue.WEIGHTS_HELP}")
