"""`datasets`: list, check and download data sets, write a split, show the cache."""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transclipped.cli.options import add_shared, finish, print_result
from transclipped.config import ANNOTATIONS, POTENTIAL, DataConfig
from transclipped.errors import InputError
from transclipped.utils.files import cache_dir, clear_cache, folder_size, replacing


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("action", nargs="?", default="list", choices=tuple(ACTIONS), help="what to do (default: list)")
    option("name", nargs="?", help="data set")
    option("folder", nargs="?", help="folder of its images, if they are not bundled")
    option("--labels", help="file with labels for a folder of images; folder of lists for mirflickr and nuswide")
    option("--annotations", choices=ANNOTATIONS, default=POTENTIAL, help="mirflickr: 24 labels (default), 14 or both")
    option("--split", help="file that lists the training, query and database ids")
    option("--protocol", help="cifar10: I (default) or II; mirflickr and nuswide: default or listed")
    option("--seed", type=int, default=0, help="seed of the random split (default 0)")
    option("--quick", action="store_true", help="check: do not decode the images")
    option("--names", type=Path, help="check: CSV file of all missing and unusable images, with reasons")
    option("--progress", type=Path, help="check: JSON file in which other programs can follow the progress")
    option("--out", type=Path, help="split: file for the ids of each role, .json or .csv")
    option("--clear", action="store_true", help="cache: delete everything that can be recomputed")
    add_shared(parser)


def run(arguments: argparse.Namespace) -> None:
    print_result(arguments, ACTIONS[arguments.action](arguments))


def _list(arguments: argparse.Namespace) -> dict[str, Any]:
    from transclipped.datasets.registry import names

    return dict(names())


def _check(arguments: argparse.Namespace) -> dict[str, Any]:
    from transclipped.datasets.images.check import Check
    from transclipped.datasets.registry import load

    config, checks = _config(arguments), []

    def steps() -> Iterator[Any]:  # opening a large folder is part of the work, and may fail
        checks.append(Check(load(config)))
        if not arguments.quick:
            yield from checks[0].run()

    finish(steps(), arguments.progress)
    [check] = checks
    if arguments.names is not None:
        _write_names(arguments.names, check)
    return _description(check.images, config) | (check.listing() if arguments.quick else check.report)


def _description(images, config: DataConfig) -> dict[str, Any]:
    """The set and its split; without a possible split, the set and the reason."""
    from transclipped.datasets.protocols import draw
    from transclipped.datasets.registry import describe

    try:
        return describe(images, draw(images, config))
    except InputError as error:
        return {
            "dataset": images.name,
            "pictures": len(images),
            "no_split": str(error),
            "notes": list(getattr(images, "notes", [])),
            "skipped": [{"id": name, "reason": reason} for name, reason in images.unusable],
        }


def _write_names(path: Path, check) -> None:
    missing = [(name, "missing") for name in getattr(check.images, "missing", [])]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "reason"), *missing, *check.images.skipped, *check.damaged])


def _split(arguments: argparse.Namespace) -> dict[str, Any]:
    from transclipped.datasets.protocols import ROLES, draw, write_split
    from transclipped.datasets.registry import load

    if arguments.out is None:
        raise InputError("`datasets split` needs --out, a file such as split.json or split.csv")
    config = _config(arguments)
    images = load(config)
    split = draw(images, config)
    write_split(arguments.out, split, images)
    counts = {role: len(getattr(split, role)) for role in ROLES}
    about = {"dataset": images.name, "fingerprint": images.fingerprint, "protocol": split.protocol}
    return {**about, "seed": split.seed, **counts, "file": str(arguments.out)}


def _download(arguments: argparse.Namespace) -> dict[str, Any]:
    from transclipped.datasets.registry import download

    if not arguments.folder:
        raise InputError("`datasets download` needs a folder to download into, such as data/")
    download(_name(arguments), arguments.folder)
    return {"dataset": arguments.name, "folder": arguments.folder}


def _cache(arguments: argparse.Namespace) -> dict[str, Any]:
    from transclipped.datasets.storage import stored

    if arguments.clear:
        return {"cache": str(cache_dir()), "freed_bytes": clear_cache()}
    kinds = {kind.name: {"bytes": kind.bytes, "files": kind.files, "what": kind.what} for kind in stored()}
    return {"cache": str(cache_dir()), "bytes": folder_size(cache_dir()), "kinds": kinds}


def _config(arguments: argparse.Namespace) -> DataConfig:
    names = ("labels", "annotations", "split", "protocol", "seed")
    settings = {name: getattr(arguments, name) for name in names}
    return DataConfig(dataset=_name(arguments), data=arguments.folder, **settings)


def _name(arguments: argparse.Namespace) -> str:
    if not arguments.name:
        raise InputError(f"`datasets {arguments.action}` needs the name of a data set; `datasets list` shows them")
    return arguments.name


ACTIONS = {"list": _list, "check": _check, "split": _split, "download": _download, "cache": _cache}
