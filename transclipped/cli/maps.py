"""`maps`: compute the UMAP maps that come with the app."""

import argparse
import contextlib
import io
import sys
import warnings
from pathlib import Path

from transclipped.cli.options import add_shared, print_result
from transclipped.errors import InputError
from transclipped.utils.files import ASSETS

RUNS = ASSETS / "runs"


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--runs", type=Path, default=RUNS, help="folder of runs (default: the bundled ones)")
    option("--out", type=Path, help="folder of the maps (default: `maps` beside the folder of runs)")
    option("--database", nargs="*", default=[], metavar="RUN", help="runs that also get a map of a database sample")
    option("--again", action="store_true", help="recompute existing maps")
    add_shared(parser)


def run(arguments: argparse.Namespace) -> None:
    from transclipped.analysis.maps import bundled
    from transclipped.analysis.maps.projections import DATABASE, QUERIES
    from transclipped.runs.run import find_runs
    from transclipped.utils.files import folder_size

    out = arguments.out or arguments.runs.parent / "maps"
    runs = sorted(find_runs(arguments.runs), key=lambda run: run.name)
    if not runs:
        raise InputError(f"{arguments.runs} holds no run; name a folder of runs with --runs")
    current: list[str] = []
    for run_dir in runs:
        stored = run_dir.retrieval()
        for which in (QUERIES, DATABASE):
            name = bundled.content(run_dir, stored, which)
            current.append(name)
            exists = (out / f"{name}.npz").exists() and not arguments.again
            if exists or (which == DATABASE and run_dir.name not in arguments.database):
                continue
            maps = _compute(run_dir, stored, which)
            bundled.save(name, maps, folder=out)
            print(f"{run_dir.name}: {len(maps)} maps of its {which}", file=sys.stderr, flush=True)
    deleted = len(bundled.prune(current, folder=out))
    files, size = len(list(out.glob("*.npz"))), folder_size(out)
    result = {"maps": str(out), "files": files, "bytes": size, "deleted": deleted}
    print_result(arguments, result, f"{files} files in {out}, {size:,} bytes")


def _compute(run_dir, stored, which: str):
    from transclipped.analysis.maps import bundled, projections
    from transclipped.analysis.maps.store import UmapSettings
    from transclipped.datasets.registry import load

    images = load(run_dir.config.data)
    items = projections.items(stored, which)
    items = projections.with_features(run_dir, items, images, images.rows_of(items.ids.tolist()))
    only = None if which == projections.QUERIES else [UmapSettings()]
    return bundled.make(items, _quietly, only=only)


def _quietly(vectors, settings):
    """UMAP without its messages on standard output."""
    from transclipped.analysis.maps.umap_layout import umap_map

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return umap_map(vectors, settings)
