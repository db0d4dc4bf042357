"""`encode` and `search`: collections of one's own pictures, and questions to them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from transclipped.config import EMBEDDINGS, DataConfig
from transclipped.errors import InputError
from transclipped.utils.progress import with_bars, with_file


def add(commands) -> None:
    """Register the subcommands."""
    _add_search(commands)
    _add_encode(commands)


def _add_search(commands) -> None:
    summary = "Find the pictures of a database most similar to one, or to several at once."
    parser = commands.add_parser("search", help=summary, description=summary)
    parser.set_defaults(handler=_search)
    option = parser.add_argument
    option("picture", type=Path, nargs="*", help="image file; with several, hits are similar to all of them")
    option("--run", type=Path, required=True, help="run directory")
    option("--collection", type=Path, help="folder made by `encode` (default: the run's own database)")
    option("--id", action="append", default=[], help="ask with a stored query or item by its id; may be repeated")
    option("--top", type=int, default=10, help="hits to show (default 10)")
    option("--plugin", help="Python file that registers the run's own backbone")
    option("--json", action="store_true", help="print the result as JSON and nothing else")


def _search(arguments: argparse.Namespace) -> int:
    import numpy as np

    from transclipped.datasets.images.decode import open_picture
    from transclipped.runs.run import RunDir
    from transclipped.search.searcher import Searcher

    if arguments.top < 1:
        raise InputError(f"--top is {arguments.top}; choose 1 or more")
    asked = [*map(str, arguments.picture), *arguments.id]
    if not asked:
        raise InputError("`search` needs a picture to ask with, or --id and the id of an item")
    pictures = [open_picture(path) for path in arguments.picture]
    searcher = Searcher(RunDir(arguments.run), collection=arguments.collection)
    queries = [*(searcher.embed(pictures) if pictures else []), *(searcher.item(name) for name in arguments.id)]
    hits = searcher.search(np.mean(queries, axis=0), top=arguments.top)
    if arguments.json:
        found = {"query": asked[0], "queries": asked, "hits": [hit.to_dict() for hit in hits]}
        print(json.dumps(found, ensure_ascii=False))
        return 0
    print(f"{'rank':>4}  {'score':>7}  {'id':<24} label")
    for hit in hits:
        print(f"{hit.rank:>4}  {hit.score:7.4f}  {hit.path or hit.id!s:<24} {', '.join(hit.labels)}")
    return 0


def _add_encode(commands) -> None:
    summary = "Turn a folder of pictures into a searchable collection; again, only what is new or changed."
    parser = commands.add_parser("encode", help=summary, description=summary)
    parser.set_defaults(handler=_encode)
    option = parser.add_argument
    option("folder", type=Path, help="folder of pictures, searched recursively; or a file of embeddings")
    option("--run", type=Path, required=True, help="run directory whose model encodes")
    option("--out", type=Path, required=True, help="folder for the collection, new or made before")
    option("--add", action="store_true", help="keep what the collection holds of other folders")
    option("--labels", help="CSV with labels")
    option("--device", help="cpu, cuda or mps (default: the fastest there is)")
    option("--plugin", help="Python file that registers the run's own backbone")
    option("--progress", type=Path, help="JSON file for other programs: how far it is, and how it ended")
    option("--json", action="store_true", help="print the result as JSON and nothing else")


def _encode(arguments: argparse.Namespace) -> int:
    from transclipped.runs.run import RunDir
    from transclipped.search.collection import encode_folder
    from transclipped.utils.files import read_json
    from transclipped.utils.machine import best_device

    kind = EMBEDDINGS if arguments.folder.is_file() else "folder"
    config = DataConfig(dataset=kind, data=str(arguments.folder), labels=arguments.labels)
    device = arguments.device or best_device()
    work = encode_folder(RunDir(arguments.run), config, arguments.out, add=arguments.add, device=device)
    for _ in with_bars(with_file(work, arguments.progress)):
        pass
    summary = read_json(arguments.out / "collection.json")
    if arguments.json:
        print(json.dumps(summary, ensure_ascii=False))
        return 0
    print(
        f"{summary['n']} pictures, {summary['bytes_per_item']} bytes each, in {arguments.out}: "
        f"{summary['n_encoded']} encoded now, {summary['n_reused']} known before"
    )
    for name, reason in summary["skipped"]:
        print(f"skipped {name}: {reason}")
    return 0
