"""`export`: codes, embeddings, index and encoder for other programs. `backbones`: what can be chosen."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.utils import wording
from transclipped.utils.progress import with_bars

ENDINGS = {"codes": ".parquet", "embeddings": ".parquet", "faiss": ".faiss", "onnx": ".onnx"}


def add(commands) -> None:
    """Register the subcommands."""
    _add_export(commands)
    _add_backbones(commands)


def _add_export(commands) -> None:
    summary = "Write codes, embeddings, index or encoder of a run for other programs."
    parser = commands.add_parser("export", help=summary, description=summary)
    parser.set_defaults(handler=_export)
    option = parser.add_argument
    option("--run", type=Path, required=True, help="run directory")
    option("--what", required=True, choices=[*ENDINGS, "parquet"], help="parquet is another word for codes")
    option("--out", type=Path, required=True, help="file to write")
    option("--collection", type=Path, help="folder made by `encode`, for codes and faiss (default: the run's database)")
    option("--layer", choices=("continuous", "backbone"), default="continuous", help="of embeddings")
    option("--device", help="cpu, cuda or mps (default: the fastest there is)")
    option("--plugin", help="Python file that registers the run's own backbone")
    option("--json", action="store_true", help="print the result as JSON and nothing else")


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
    from transclipped.utils.machine import best_device

    run = RunDir(arguments.run)
    if what == "onnx":
        return export.onnx(run, out)
    if what == "embeddings":
        device = arguments.device or best_device()
        for _ in with_bars(export.embeddings(run, out, layer=arguments.layer, device=device)):
            pass
        return {"out": str(out), "layer": arguments.layer}
    searcher = Searcher(run, collection=arguments.collection)
    return export.codes(searcher, out) if what == "codes" else export.index(searcher, out)


def _add_backbones(commands) -> None:
    summary = "List backbones: what they are, how large, and whether their weights are here."
    parser = commands.add_parser("backbones", help=summary, description=summary)
    parser.set_defaults(handler=_backbones)
    option = parser.add_argument
    option("word", nargs="?", help="list all of timm's pretrained networks whose name has this in it")
    option("--measure", action="store_true", help="time each on this machine, in pictures a second")
    option("--json", action="store_true", help="print the result as JSON and nothing else")


def _backbones(arguments: argparse.Namespace) -> int:
    from transclipped.models import catalogue

    entries = catalogue.entries(arguments.word)
    if not entries:
        raise InputError(f"no pretrained network of timm has {arguments.word!r} in its name; try vit, dino or resnet")
    lines = [entry.to_dict() for entry in entries]
    if arguments.measure:
        for line in lines:
            line["pictures_per_s"] = round(catalogue.speed(line["name"]), 1)
    if arguments.json:
        print(json.dumps(lines, ensure_ascii=False))
        return 0
    speed = f"{'images/s':>10}" if arguments.measure else ""
    print(f"{'name':<44} {'trained':<11} {'parameters':>10} {'size':>7}  {'pooled':<6} {'weights':<8}{speed}")
    for line in lines:
        speed = f"{line['pictures_per_s']:>10.1f}" if arguments.measure else ""
        print(
            f"{line['name']:<44} {line['kind']:<11} {line['parameters'] / 1e6:>8.1f} M {line['image_size']:>4} px  "
            f"{line['pool']:<6} {line['available']:<8}{speed}"
        )
    print("\n" + catalogue.HOW_TO_BRING)
    return 0
