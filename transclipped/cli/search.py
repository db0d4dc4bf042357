"""`search`: query the database of a run, a collection or a pipeline, with images or ids."""

import argparse
from pathlib import Path

from transclipped.cli.options import add_data, add_shared, data_of, print_result
from transclipped.errors import InputError


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("image", type=Path, nargs="*", help="image file; several are searched as one query, by their mean")
    option("--run", type=Path, help="run directory")
    option("--pipe", metavar="LINE", help="pipeline instead of a run, or the folder of a saved one")
    option("--collection", type=Path, help="folder written by `encode` (default: the database of the run)")
    option("--id", action="append", default=[], help="use a stored query or item as the query; may be repeated")
    option("--top", type=int, default=10, help="number of hits, 1 or more (default 10)")
    add_data(parser)
    add_shared(parser, plugin=True)


def run(arguments: argparse.Namespace) -> None:
    import numpy as np

    from transclipped.datasets.images.decode import open_image
    from transclipped.runs.run import RunDir
    from transclipped.search.searcher import Searcher

    if arguments.top < 1:
        raise InputError(f"--top is {arguments.top}; choose 1 or more")
    names = [*map(str, arguments.image), *arguments.id]
    if not names:
        raise InputError("`search` needs an image file, or --id with the id of an item")
    if (arguments.run is None) == (arguments.pipe is None):
        raise InputError("`search` needs either --run or --pipe")
    if arguments.pipe is not None:
        return _search_pipeline(arguments, names)
    images = [open_image(path) for path in arguments.image]
    searcher = Searcher(RunDir(arguments.run), collection=arguments.collection)
    queries = [*(searcher.embed(images) if images else []), *(searcher.item(name) for name in arguments.id)]
    hits = searcher.search(np.mean(queries, axis=0), top=arguments.top)
    rows = [f"{hit.rank:>4}  {hit.score:7.4f}  {hit.path or hit.id!s:<24} {', '.join(hit.labels)}" for hit in hits]
    text = "\n".join([f"{'rank':>4}  {'score':>7}  {'id':<24} label", *rows])
    print_result(arguments, {"query": names[0], "queries": names, "hits": [hit.to_dict() for hit in hits]}, text)


def _search_pipeline(arguments: argparse.Namespace, names: list[str]) -> None:
    from transclipped.experiments.pipelines.pipeline import Pipeline

    if len(names) > 1 or arguments.collection is not None:
        raise InputError("--pipe takes one image or --id, and no --collection")
    saved = Path(arguments.pipe) / "pipeline.json"
    pipeline = Pipeline.load(arguments.pipe) if saved.is_file() else Pipeline(arguments.pipe).fit(data_of(arguments))
    query = arguments.image[0] if arguments.image else arguments.id[0]
    hits = pipeline.search(query, k=arguments.top)
    items = [pipeline.source.described(int(row)) for row in hits.rows[0]]
    result = [
        {"rank": rank, "row": int(row), "id": name, "score": float(score), "labels": labels}
        for rank, (row, score, (name, labels)) in enumerate(zip(hits.rows[0], hits.scores[0], items, strict=True), 1)
    ]
    lines = [f"{hit['rank']:>4}  {hit['score']:7.4f}  {hit['id']!s:<24} {', '.join(hit['labels'])}" for hit in result]
    text = "\n".join([f"{'rank':>4}  {'score':>7}  {'id':<24} label", *lines])
    print_result(arguments, {"query": names[0], "pipeline": str(pipeline), "hits": result}, text)
