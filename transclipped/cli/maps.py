"""`maps`: lay out the UMAP maps that come with the app."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import warnings
from pathlib import Path

from transclipped.cli.options import add_shared
from transclipped.errors import InputError
from transclipped.utils.files import ASSETS

RUNS = ASSETS / "runs"


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_maps)
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of runs (default: the bundled ones)")
    parser.add_argument("--out", type=Path, help="folder of the maps (default: `maps` beside the folder of runs)")
    parser.add_argument(
        "--database", nargs="*", default=[], metavar="RUN",
        help="runs whose database sample is laid out too, at the page's settings alone",
    )  # fmt: skip
    parser.add_argument("--again", action="store_true", help="make those anew, too, that are there")
    add_shared(parser)


def _maps(arguments: argparse.Namespace) -> int:
    from transclipped.analysis.maps import bundled as bundled_maps
    from transclipped.analysis.maps.projections import DATABASE, QUERIES
    from transclipped.runs.run import find_runs
    from transclipped.utils.files import folder_size

    out = arguments.out or arguments.runs.parent / "maps"
    runs = sorted(find_runs(arguments.runs), key=lambda run: run.name)
    if not runs:
        raise InputError(f"{arguments.runs} holds no run; name a folder of runs with --runs")
    known: list[str] = []
    for run in runs:
        stored = run.retrieval()
        for which in (QUERIES, DATABASE):
            name = bundled_maps.content(run, stored, which)
            known.append(name)
            there = (out / f"{name}.npz").exists() and not arguments.again
            if there or (which == DATABASE and run.name not in arguments.database):
                continue
            made = _make(run, stored, which)
            bundled_maps.save(name, made, folder=out)
            print(f"{run.name}: {len(made)} maps of its {which}", file=sys.stderr, flush=True)
    stale = bundled_maps.prune(known, folder=out)
    found = {"maps": str(out), "files": len(list(out.glob("*.npz"))), "bytes": folder_size(out), "deleted": len(stale)}
    print(json.dumps(found) if arguments.json else f"{found['files']} files in {out}, {found['bytes']:,} bytes")
    return 0


def _make(run, stored, which: str):
    from transclipped.analysis.maps import bundled as bundled_maps
    from transclipped.analysis.maps import projections
    from transclipped.datasets.registry import load

    images = load(run.config.data)
    shown = projections.items(stored, which)
    shown = projections.with_features(run, shown, images, images.rows_of(shown.ids.tolist()))
    only = None if which == projections.QUERIES else [projections.UmapSettings()]
    return bundled_maps.make(shown, _quietly, only=only)


def _quietly(vectors, settings):
    """UMAP, which talks on standard output."""
    from transclipped.analysis.maps.umap_layout import umap_map

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return umap_map(vectors, settings)
