"""The collections in a folder of runs.

Only `collection.json` and file sizes are read, so that listing hundreds is fast.
"""

from dataclasses import dataclass
from pathlib import Path

from transclipped.errors import InputError
from transclipped.runs.records import read_collection
from transclipped.utils.files import folder_size

RECORD = "collection.json"


@dataclass(frozen=True)
class Collection:
    """A collection on disk.

    Attributes:
        path: of its folder, whose name is the collection's.
        run: path of the run that made it, at that time. model: identifies the run's model, see `collection.stamp`.
        n: images. bytes: of all its files. made: unix time.
        folders: encoded folders. skipped: (name, reason) of skipped files.
        n_encoded, seconds: images encoded last time, and how long it took.
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
    """Collections directly inside the given folders, newest first; damaged ones are skipped."""
    records = [path for home in homes for path in Path(home).glob(f"*/{RECORD}") if path.parent.name[0] != "."]
    entries = [entry for path in records if (entry := read(path.parent)) is not None]
    return sorted(entries, key=lambda entry: (-entry.made, entry.name))


def read(path: Path) -> Collection | None:
    """The collection in a folder; None if missing or damaged."""
    try:
        record, made = read_collection(path / RECORD), (path / RECORD).stat().st_mtime
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
    except (InputError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None
