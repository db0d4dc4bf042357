"""The collections that lie in a folder of runs: which run made each, of what, when, and how large it is.

Nothing but `collection.json` and the names of files is read, so that a list of hundreds costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.runs.records import read_collection
from transclipped.utils.files import folder_size

RECORD = "collection.json"


@dataclass(frozen=True)
class Collection:
    """A collection on the disk.

    Attributes:
        path: of its folder, whose name is the collection's.
        run: path of the run that made it, as it was then.
        model: tells models apart, see `collection.stamp`.
        n: images. bytes: of all its files.
        made: unix time.
        folders: that were encoded.
        skipped: (name, reason) of what was left out.
        n_encoded, seconds: images that the last encoding looked at, and how long it took.
    """

    path: Path
    run: Path
    model: str
    n: int
    bytes: int
    made: float
    folders: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    n_encoded: int
    seconds: float

    @property
    def name(self) -> str:
        return self.path.name


def collections(*homes: Path) -> list[Collection]:
    """Collections directly inside the given folders, newest first; what is damaged is passed over."""
    records = [path for home in homes for path in Path(home).glob(f"*/{RECORD}") if path.parent.name[0] != "."]
    found = [entry for path in records if (entry := read(path.parent)) is not None]
    return sorted(found, key=lambda entry: (-entry.made, entry.name))


def read(path: Path) -> Collection | None:
    """The collection in a folder; None if there is none that can be read."""
    try:
        record, made = read_collection(path / RECORD), (path / RECORD).stat().st_mtime
        return _entry(path, record, made)
    except (InputError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _entry(path: Path, record: dict[str, Any], made: float) -> Collection:
    return Collection(
        path=path,
        run=Path(record["run"]),
        model=str(record["model"]),
        n=int(record["n"]),
        bytes=folder_size(path),
        made=made,
        folders=tuple(map(str, record.get("folders", ()))),
        skipped=tuple((str(name), str(reason)) for name, reason in record.get("skipped", ())),
        n_encoded=int(record.get("n_encoded", 0)),
        seconds=float(record.get("seconds", 0)),
    )
