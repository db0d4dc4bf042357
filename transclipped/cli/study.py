"""`study`: the experiments behind the results, and their tables."""

import argparse
import sys
from pathlib import Path

from transclipped.cli.options import add_shared, device_of, finish, print_result
from transclipped.errors import InputError

FOLDER = Path("assets/study")
NAMES = "curve, rules-I, rules-II, shared, ideas, batch, codes, backbone or objectives"  # for the help


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--part", action="append", metavar="PART", help=f"{NAMES}; may be repeated (default: all)")
    option("--out", type=Path, default=FOLDER, help=f"folder of results (default {FOLDER})")
    option("--backbone", help="backbone under the heads (default: hybrid-vit-distilled)")
    option("--hybrid", action="append", default=[], metavar="LABEL=FILE", help="more weights for the part backbone")
    option("--limit", type=int, help="maximum number of images to train on and search, for trials (default: all)")
    option("--report", action="store_true", help="write README.md next to complete results; train nothing")
    option("--table", action="store_true", help="print the existing results as Markdown; train nothing")
    add_shared(parser, device=True)


def run(arguments: argparse.Namespace) -> None:
    from transclipped.analysis.tables import markdown, summary
    from transclipped.experiments.study.parts import named
    from transclipped.experiments.study.report import write_report

    if arguments.report:
        file = write_report(arguments.out)
        return print_result(arguments, {"reports": [str(file)]}, f"wrote {file}")
    parts = named(arguments.part)
    if not arguments.table:
        _study(arguments, parts)
    tables = {part: summary(arguments.out, part) for part in parts}
    text = "\n".join(f"### {part}\n\n{markdown(table)}\n" for part, table in tables.items())
    print_result(arguments, {part: table.to_dict("records") for part, table in tables.items()}, text)


def _study(arguments: argparse.Namespace, parts: list[str]) -> None:
    from transclipped.experiments.study.parts import Plan
    from transclipped.experiments.study.run import left, study
    from transclipped.models.zoo import DISTILLED

    backbone, others = arguments.backbone or DISTILLED, dict(map(_pair, arguments.hybrid))
    plan = Plan(out=arguments.out, backbone=backbone, others=others, limit=arguments.limit)
    for part in parts:
        print(f"{part}: {len(left(part, plan))} trials left", file=sys.stderr)
        finish(study([part], plan, device=device_of(arguments)))
    print(f"results are in {arguments.out}", file=sys.stderr)


def _pair(text: str) -> tuple[str, str]:
    label, equals, file = text.partition("=")
    if not (label and equals and file):
        raise InputError(f"--hybrid is {text!r}; write LABEL=FILE")
    return label, file
