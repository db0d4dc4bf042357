"""`datasets`: what there is, what of it is really on this disk, which rows a protocol draws, what the cache holds."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transclipped.cli.options import add_shared
from transclipped.config import ANNOTATIONS, POTENTIAL, DataConfig
from transclipped.errors import InputError
from transclipped.utils import wording
from transclipped.utils.files import cache_dir, clear_cache, folder_size, replacing
from transclipped.utils.progress import with_bars, with_file


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_datasets)
    option = parser.add_argument
    option("action", nargs="?", default="list", choices=tuple(ACTIONS), help="default: list")
    option("name", nargs="?", help="data set")
    option("folder", nargs="?", help="its folder, where the images are not bundled")
    option("--labels", help="CSV for a folder of images; folder with the label lists for mirflickr and nuswide")
    option("--annotations", choices=ANNOTATIONS, default=POTENTIAL, help="of mirflickr: 24 labels, 14 stricter, both")
    option("--split", help="file that names training, query and database ids")
    option("--protocol", help="I or II for CIFAR-10, default or listed for mirflickr and nuswide")
    option("--seed", type=int, default=0, help="of the drawn split (default 0)")
    option("--quick", action="store_true", help="with check: do not decode the images")
    option("--names", type=Path, help="with check: CSV for every image that is missing or cannot be used, and why")
    option("--progress", type=Path, help="with check: JSON file that tells how far it is")
    option("--out", type=Path, help="with split: .json or .csv file of the ids of each role")
    option("--clear", action="store_true", help="with cache: delete what can be computed again")
    add_shared(parser)


def _datasets(arguments: argparse.Namespace) -> int:
    result = ACTIONS[arguments.action](arguments)
    if arguments.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        for line in wording.lines(result):
            print(line)
    return 0


def _list(arguments: argparse.Namespace) -> dict[str, Any]:
    from transclipped.datasets.registry import names

    return dict(names())


def _check(arguments: argparse.Namespace) -> dict[str, Any]:
    from transclipped.datasets.images.check import Check
    from transclipped.datasets.registry import load

    config, opened = _config(arguments), []

    def steps() -> Iterator[Any]:  # opening a large folder is part of the work, and may fail
        opened.append(Check(load(config)))
        if not arguments.quick:
            yield from opened[0].run()

    for _ in with_bars(with_file(steps(), arguments.progress)):
        pass
    check = opened[0]
    images = check.images
    result = _described(images, config) | (check.found() if arguments.quick else check.report)
    if arguments.names is not None:
        _write_names(arguments.names, images, check)
    return result


def _described(images, config: DataConfig) -> dict[str, Any]:
    """What the set and its split consist of; or, where no split can be drawn, why."""
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


def _write_names(path: Path, images, check) -> None:
    rows = [(name, "it is not there") for name in getattr(images, "missing", [])]
    rows += images.skipped
    rows += check.damaged
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "reason"), *rows])


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
    download(_named(arguments), arguments.folder)
    return {"dataset": arguments.name, "folder": arguments.folder}


def _cache(arguments: argparse.Namespace) -> dict[str, Any]:
    from transclipped.datasets.storage import stored

    if arguments.clear:
        return {"cache": str(cache_dir()), "freed_bytes": clear_cache()}
    kinds = {kind.name: {"bytes": kind.bytes, "files": kind.files, "what": kind.what} for kind in stored()}
    return {"cache": str(cache_dir()), "bytes": folder_size(cache_dir()), "kinds": kinds}


def _config(arguments: argparse.Namespace) -> DataConfig:
    return DataConfig(
        dataset=_named(arguments),
        data=arguments.folder,
        labels=arguments.labels,
        annotations=arguments.annotations,
        split=arguments.split,
        protocol=arguments.protocol,
        seed=arguments.seed,
    )


def _named(arguments: argparse.Namespace) -> str:
    if not arguments.name:
        raise InputError(f"`datasets {arguments.action}` needs the name of a data set; `datasets` lists them")
    return arguments.name


ACTIONS = {"list": _list, "check": _check, "split": _split, "download": _download, "cache": _cache}
