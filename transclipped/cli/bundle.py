"""`bundle`: a finished run, made small enough to share."""

import argparse
from pathlib import Path

from transclipped.cli.options import add_shared, print_result


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="directory of a finished run")
    parser.add_argument("--out", type=Path, required=True, help="new folder for the copy")
    parser.add_argument("--queries", type=int, default=1000, help="maximum number of stored queries (default 1000)")
    parser.add_argument("--epochs", type=int, default=3, help="maximum number of epochs with stored heads (default 3)")
    add_shared(parser)


def run(arguments: argparse.Namespace) -> None:
    from transclipped.runs.bundle import bundle
    from transclipped.runs.run import RunDir
    from transclipped.utils.files import folder_size

    copy = bundle(RunDir(arguments.run), arguments.out, queries=arguments.queries, epochs=arguments.epochs).path
    size = folder_size(copy)
    print_result(arguments, {"run": str(copy), "bytes": size}, f"{copy}: {size:,} bytes")
