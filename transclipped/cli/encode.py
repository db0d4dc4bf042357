"""`encode`: a searchable collection of one's own images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from transclipped.cli.options import add_shared, device_of
from transclipped.config import EMBEDDINGS, DataConfig
from transclipped.utils.progress import with_bars, with_file


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_encode)
    option = parser.add_argument
    option("folder", type=Path, help="folder of images, searched recursively; or a file of embeddings")
    option("--run", type=Path, required=True, help="run directory whose model encodes")
    option("--out", type=Path, required=True, help="folder for the collection, new or made before")
    option("--add", action="store_true", help="keep what the collection holds of other folders")
    option("--labels", help="CSV with labels")
    option("--progress", type=Path, help="JSON file for other programs: how far it is, and how it ended")
    add_shared(parser, device=True, plugin=True)


def _encode(arguments: argparse.Namespace) -> int:
    from transclipped.runs.run import RunDir
    from transclipped.search.collection import encode_folder
    from transclipped.utils.files import read_json

    kind = EMBEDDINGS if arguments.folder.is_file() else "folder"
    config = DataConfig(dataset=kind, data=str(arguments.folder), labels=arguments.labels)
    work = encode_folder(RunDir(arguments.run), config, arguments.out, add=arguments.add, device=device_of(arguments))
    for _ in with_bars(with_file(work, arguments.progress)):
        pass
    summary = read_json(arguments.out / "collection.json")
    if arguments.json:
        print(json.dumps(summary, ensure_ascii=False))
        return 0
    print(
        f"{summary['n']} images, {summary['bytes_per_item']} bytes each, in {arguments.out}: "
        f"{summary['n_encoded']} encoded now, {summary['n_reused']} known before"
    )
    for name, reason in summary["skipped"]:
        print(f"skipped {name}: {reason}")
    return 0
