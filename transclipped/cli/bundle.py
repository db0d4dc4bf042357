"""`bundle`: a finished run, made small enough to share."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from transclipped.cli.options import add_shared


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_bundle)
    parser.add_argument("--run", type=Path, required=True, help="finished run directory")
    parser.add_argument("--out", type=Path, required=True, help="new folder for the copy")
    parser.add_argument("--queries", type=int, default=1000, help="stored queries at most (default 1000)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs whose heads are kept, at most (default 3)")
    add_shared(parser)


def _bundle(arguments: argparse.Namespace) -> int:
    from transclipped.runs.bundle import bundle
    from transclipped.runs.run import RunDir
    from transclipped.utils.files import folder_size

    made = bundle(RunDir(arguments.run), arguments.out, queries=arguments.queries, epochs=arguments.epochs)
    size = folder_size(made.path)
    print(json.dumps({"run": str(made.path), "bytes": size}) if arguments.json else f"{made.path}: {size:,} bytes")
    return 0
