"""`search`: ask a run's database, or a collection, with images or ids."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from transclipped.cli.options import add_shared
from transclipped.errors import InputError


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_search)
    option = parser.add_argument
    option("image", type=Path, nargs="*", help="image file; with several, hits are similar to all of them")
    option("--run", type=Path, required=True, help="run directory")
    option("--collection", type=Path, help="folder made by `encode` (default: the run's own database)")
    option("--id", action="append", default=[], help="ask with a stored query or item by its id; may be repeated")
    option("--top", type=int, default=10, help="hits to show (default 10)")
    add_shared(parser, plugin=True)


def _search(arguments: argparse.Namespace) -> int:
    import numpy as np

    from transclipped.datasets.images.decode import open_image
    from transclipped.runs.run import RunDir
    from transclipped.search.searcher import Searcher

    if arguments.top < 1:
        raise InputError(f"--top is {arguments.top}; choose 1 or more")
    asked = [*map(str, arguments.image), *arguments.id]
    if not asked:
        raise InputError("`search` needs an image to ask with, or --id and the id of an item")
    images = [open_image(path) for path in arguments.image]
    searcher = Searcher(RunDir(arguments.run), collection=arguments.collection)
    queries = [*(searcher.embed(images) if images else []), *(searcher.item(name) for name in arguments.id)]
    hits = searcher.search(np.mean(queries, axis=0), top=arguments.top)
    if arguments.json:
        found = {"query": asked[0], "queries": asked, "hits": [hit.to_dict() for hit in hits]}
        print(json.dumps(found, ensure_ascii=False))
        return 0
    print(f"{'rank':>4}  {'score':>7}  {'id':<24} label")
    for hit in hits:
        print(f"{hit.rank:>4}  {hit.score:7.4f}  {hit.path or hit.id!s:<24} {', '.join(hit.labels)}")
    return 0
