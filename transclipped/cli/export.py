"""`export`: codes, embeddings, index and encoder of a run for other programs."""

import argparse
from pathlib import Path
from typing import Any

from transclipped.cli.options import add_shared, device_of, finish, print_result
from transclipped.errors import InputError

ENDINGS = {"codes": ".parquet", "embeddings": ".parquet", "faiss": ".faiss", "onnx": ".onnx"}


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--run", type=Path, required=True, help="run directory")
    option("--what", required=True, choices=[*ENDINGS, "parquet"], help="what to write; parquet is the same as codes")
    option("--out", type=Path, required=True, help="file to write")
    option("--collection", type=Path, help="folder written by `encode`, for codes and faiss (default: the database)")
    option("--layer", choices=("continuous", "backbone"), default="continuous", help="layer of the embeddings")
    add_shared(parser, device=True, plugin=True)


def run(arguments: argparse.Namespace) -> None:
    what = {"parquet": "codes"}.get(arguments.what, arguments.what)
    out = arguments.out
    if out.is_dir():
        raise InputError(f"{out} is a folder; name the file to write, such as {out / ('export' + ENDINGS[what])}")
    if arguments.collection and what in ("embeddings", "onnx"):
        raise InputError(f"--what {what} does not use a collection; leave --collection out")
    print_result(arguments, _write(arguments, what, out if out.suffix else out.with_suffix(ENDINGS[what])))


def _write(arguments: argparse.Namespace, what: str, out: Path) -> dict[str, Any]:
    from transclipped.runs.run import RunDir
    from transclipped.search import export
    from transclipped.search.searcher import Searcher

    run_dir = RunDir(arguments.run)
    if what == "onnx":
        return export.onnx(run_dir, out)
    if what == "embeddings":
        finish(export.embeddings(run_dir, out, layer=arguments.layer, device=device_of(arguments)))
        return {"out": str(out), "layer": arguments.layer}
    searcher = Searcher(run_dir, collection=arguments.collection)
    return export.codes(searcher, out) if what == "codes" else export.index(searcher, out)
