"""`export`: codes, embeddings, index and encoder of a run for other programs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from transclipped.cli.options import add_shared, device_of
from transclipped.errors import InputError
from transclipped.utils import wording
from transclipped.utils.progress import with_bars

ENDINGS = {"codes": ".parquet", "embeddings": ".parquet", "faiss": ".faiss", "onnx": ".onnx"}


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_export)
    option = parser.add_argument
    option("--run", type=Path, required=True, help="run directory")
    option("--what", required=True, choices=[*ENDINGS, "parquet"], help="parquet is another word for codes")
    option("--out", type=Path, required=True, help="file to write")
    option("--collection", type=Path, help="folder made by `encode`, for codes and faiss (default: the run's database)")
    option("--layer", choices=("continuous", "backbone"), default="continuous", help="of embeddings")
    add_shared(parser, device=True, plugin=True)


def _export(arguments: argparse.Namespace) -> int:
    what = {"parquet": "codes"}.get(arguments.what, arguments.what)
    if arguments.out.is_dir():
        example = arguments.out / ("export" + ENDINGS[what])
        raise InputError(f"{arguments.out} is a folder; name the file to write, such as {example}")
    out = arguments.out if arguments.out.suffix else arguments.out.with_suffix(ENDINGS[what])
    if arguments.collection and what in ("embeddings", "onnx"):
        raise InputError(f"--what {what} is of the run itself; leave --collection out")
    written = _written(arguments, what, out)
    if arguments.json:
        print(json.dumps(written, ensure_ascii=False))
        return 0
    for line in wording.lines(written):
        print(line)
    return 0


def _written(arguments: argparse.Namespace, what: str, out: Path) -> dict[str, Any]:
    from transclipped.runs.run import RunDir
    from transclipped.search import export
    from transclipped.search.searcher import Searcher

    run = RunDir(arguments.run)
    if what == "onnx":
        return export.onnx(run, out)
    if what == "embeddings":
        for _ in with_bars(export.embeddings(run, out, layer=arguments.layer, device=device_of(arguments))):
            pass
        return {"out": str(out), "layer": arguments.layer}
    searcher = Searcher(run, collection=arguments.collection)
    return export.codes(searcher, out) if what == "codes" else export.index(searcher, out)
