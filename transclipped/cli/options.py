"""Options and output that several commands share."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transclipped.utils import progress, wording

DATA_FIELDS = ("dataset", "data", "labels", "protocol", "database_limit", "query_limit", "seed")


def add_shared(parser: argparse.ArgumentParser, *, device: bool = False, plugin: bool = False) -> None:
    """Add --json and, for commands that run networks or a run's custom code, --device and --plugin."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    if device:
        parser.add_argument("--device", help="cpu, cuda or mps (default: the fastest available)")
    if plugin:
        parser.add_argument("--plugin", help="Python file with the custom rule, loss or backbone of the run")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Options that name the images."""
    option = parser.add_argument
    option("--dataset", default="cifar10", help="name of the data set (default cifar10)")
    option("--data", help="folder of the images, if they are not bundled")
    option("--labels", help="file with labels for a folder of images")
    option("--protocol", help="split of the data set")
    option("--database-limit", type=int, help="maximum number of images in the database")
    option("--seed", type=int, default=0, help="seed of the split (default 0)")


def data_of(arguments: argparse.Namespace) -> Any:
    """The `DataConfig` of the options."""
    from transclipped.config import DataConfig, from_dict

    given = {name: getattr(arguments, name, None) for name in DATA_FIELDS}
    return from_dict(DataConfig, {name: value for name, value in given.items() if value is not None})


def device_of(arguments: argparse.Namespace) -> str:
    """The device given on the command line, or the fastest available."""
    from transclipped.utils.machine import best_device

    return arguments.device or best_device()


def finish(work: Iterable[Any], file: Path | None = None) -> None:
    """Do the work to its end, with bars on standard error and, if `file` is given, progress in a JSON file."""
    for _ in progress.with_bars(progress.with_file(work, file)):
        pass


def print_result(arguments: argparse.Namespace, result: Any, text: str | None = None) -> None:
    """Print `result` as JSON if --json is given; otherwise `text` or, without it, a line per value."""
    if arguments.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        print("\n".join(wording.lines(result)) if text is None else text)
