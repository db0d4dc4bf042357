"""`study`: the measured study as a command, and its tables."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from transclipped.cli.options import add_shared, device_of
from transclipped.errors import InputError
from transclipped.utils.progress import with_bars

FOLDER = Path("assets/study")
NAMES = "curve, rules-I, rules-II, shared, ideas, batch, codes or backbone"  # for the help


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_study)
    option = parser.add_argument
    option("--part", action="append", metavar="PART", help=f"{NAMES}; may be repeated (default: all)")
    option("--out", type=Path, default=FOLDER, help=f"folder of results (default {FOLDER})")
    option("--backbone", help="that heads are trained on (default: the distilled hybrid)")
    option("--hybrid", action="append", default=[], metavar="LABEL=FILE", help="one more for the part backbone")
    option("--limit", type=int, help="images that are trained on and searched, for trials")
    option("--report", action="store_true", help="write README.md beside complete results, train nothing")
    option("--table", action="store_true", help="print what is there as Markdown, train nothing")
    add_shared(parser, device=True)


def _study(arguments: argparse.Namespace) -> int:
    from transclipped.analysis.tables import markdown, summary
    from transclipped.experiments.study.parts import named

    if arguments.report:
        return _report(arguments)
    parts = named(arguments.part)
    if not arguments.table:
        _run(arguments, parts)
    tables = {part: summary(arguments.out, part) for part in parts}
    if arguments.json:
        print(json.dumps({part: table.to_dict("records") for part, table in tables.items()}))
        return 0
    for part, table in tables.items():
        print(f"### {part}\n\n{markdown(table)}\n")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from transclipped.experiments.study.report import write_report

    file = write_report(arguments.out)
    print(json.dumps({"reports": [str(file)]}) if arguments.json else f"the report is in {file}")
    return 0


def _run(arguments: argparse.Namespace, parts: list[str]) -> None:
    from transclipped.experiments.study.parts import Plan
    from transclipped.experiments.study.run import left, study
    from transclipped.models.zoo import DISTILLED

    plan = Plan(
        out=arguments.out,
        backbone=arguments.backbone or DISTILLED,
        others=dict(_pair(text) for text in arguments.hybrid),
        limit=arguments.limit,
    )
    device = device_of(arguments)
    for part in parts:
        print(f"{part}: {len(left(part, plan))} trials are left", file=sys.stderr)
        for _ in with_bars(study([part], plan, device=device)):
            pass
    print(f"results are in {arguments.out}", file=sys.stderr)


def _pair(text: str) -> tuple[str, str]:
    label, equals, file = text.partition("=")
    if not (label and equals and file):
        raise InputError(f"--hybrid is {text!r}; write LABEL=FILE")
    return label, file
