"""`encode`: a searchable collection of your own images."""

import argparse
from pathlib import Path

from transclipped.cli.options import add_shared, device_of, finish, print_result
from transclipped.config import EMBEDDINGS, DataConfig


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("folder", type=Path, help="folder of images, searched recursively; or a file of embeddings")
    option("--run", type=Path, required=True, help="run directory whose model encodes")
    option("--out", type=Path, required=True, help="folder of the collection; an existing one is updated")
    option("--add", action="store_true", help="keep the items that the collection has from other folders")
    option("--labels", help="CSV, JSON lines or parquet file with labels")
    option("--progress", type=Path, help="JSON file in which other programs can follow the progress")
    add_shared(parser, device=True, plugin=True)


def run(arguments: argparse.Namespace) -> None:
    from transclipped.runs.run import RunDir
    from transclipped.search.collection import encode_folder
    from transclipped.utils.files import read_json

    kind = EMBEDDINGS if arguments.folder.is_file() else "folder"
    config = DataConfig(dataset=kind, data=str(arguments.folder), labels=arguments.labels)
    work = encode_folder(RunDir(arguments.run), config, arguments.out, add=arguments.add, device=device_of(arguments))
    finish(work, arguments.progress)
    summary = read_json(arguments.out / "collection.json")
    text = (
        f"{summary['n']} images, {summary['bytes_per_item']} bytes each, in {arguments.out}: "
        f"{summary['n_encoded']} encoded, {summary['n_reused']} unchanged"
    )
    skipped = [f"skipped {name}: {reason}" for name, reason in summary["skipped"]]
    print_result(arguments, summary, "\n".join([text, *skipped]))
