"""Rename, delete, export and import runs.

A folder appears under its name by one rename, complete, and disappears by one: readers never see part of a run. A zip
is not trusted: `unpack` extracts only files that belong to a run, counts the bytes as they are unpacked, and
`uploaded.check` checks their content before the run appears.
"""

import os
import re
import shutil
import stat
import unicodedata
import uuid
import zipfile
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from transclipped.errors import InputError
from transclipped.flags import command
from transclipped.runs.run import QUEUED, RunDir
from transclipped.utils import archive as archives
from transclipped.utils.files import read_json, write_json, writer

PARTS = ("config.json", "events.jsonl", "metrics.json", "model.safetensors", "retrieval.npz", "split.json")
PARTS += ("status.json", "last.safetensors")
RESUMING = "last.safetensors"  # only an unfinished run needs it
LONGEST_NAME = 80  # characters
MOST_BYTES = 240  # of a name in UTF-8: file systems allow 255, some for a suffix such as ".zip" or "-2"
NAME_RULE = f"Letters and digits, with - _ . between them and no spaces; at most {LONGEST_NAME} characters."
FORMER = "former.json"  # former names of a run, the latest last
MAX_UNPACKED = 400_000_000  # bytes of all files together
MAX_FILES = 1000
MAX_DIRECTORY = 200_000  # bytes of a zip's table of contents: 1,000 files are 100,000
_ZIP = {"what": "the zip", "remedy": "use one downloaded from this app"}
_PART = re.compile(rf"(?:{'|'.join(map(re.escape, PARTS))}|epochs/[0-9]{{1,6}}\.safetensors)")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}  # Windows


def check_name(name: str) -> str:
    """`name` if it follows `NAME_RULE`, with composed accents, since file systems differ in how they store them.

    Raises:
        InputError: it does not; the message suggests a name that does.
    """
    composed = unicodedata.normalize("NFC", name)
    if composed == fitting_name(composed):
        return composed
    raise InputError(f"{name[:200]!r} is not a valid name, but {fitting_name(composed)} is. {NAME_RULE}")


def fitting_name(text: str, *, otherwise: str = "run") -> str:
    """The valid name closest to `text`; `otherwise` if nothing of it is valid."""
    composed = unicodedata.normalize("NFC", text)
    parts = "".join(c if unicodedata.category(c)[0] in "LMN" or c in "-_." else " " for c in composed).split()
    name = "-".join(parts).strip("-_.")
    while len(name) > LONGEST_NAME or len(name.encode()) > MOST_BYTES:
        name = name[:-1].rstrip("-_.")
    if not name or unicodedata.category(name[0])[0] == "M":
        return otherwise
    reserved = name.partition(".")[0].lower() in _RESERVED
    return fitting_name(f"{otherwise}-{name}") if reserved else name


def first_free(name: str, taken: Collection[str]) -> str:
    """`name`, or the first of name-2, name-3, … that is not taken."""
    return next(new for i in range(1, 100_000) if (new := name if i == 1 else f"{name}-{i}") not in taken)


def place(folder: Path, path: Path) -> None:
    """Move a complete folder to `path`, atomically. Raises InputError if that exists, or the disk refuses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if path.exists():
            raise FileExistsError(path)
        os.rename(folder, path)  # fails onto a non-empty folder, so only one of two processes wins
    except OSError as error:
        if path.exists():
            raise InputError(f"a run {path.name} already exists; choose another name") from error
        raise InputError(f"cannot create {path}: {error.strerror or error}; choose another folder") from error


def place_numbered(
    folder: Path, home: Path, name: str, *, taken: Collection[str], prepare: Callable[[str], None] = lambda name: None
) -> Path:
    """`place` a folder in `home` under the first free of name, name-2, …; `prepare` is called with that name before."""
    while True:
        path = home / first_free(name, {*taken, *(other.name for other in home.iterdir())})
        prepare(path.name)
        with suppress(InputError):  # another process was faster: the next number
            place(folder, path)
            return path
        if not path.exists():
            raise InputError(f"cannot create {path}; choose another folder of runs")


def rename(run: RunDir, name: str) -> RunDir:
    """Rename a run; `renamed` finds it by the old name.

    Raises:
        InputError: the name is invalid or taken; the run is missing, queued, in training or being measured.
    """
    _at_rest(run)
    if name == run.name:
        return run
    new = run.path.with_name(check_name(name))
    place(run.path, new)
    with suppress(InputError):  # on a full disk, only old links break
        write_json(new / FORMER, [*former_names(RunDir(new)), run.name])
    with suppress(InputError):  # a damaged config.json has no command to update
        moved = RunDir(new)
        write_json(new / "config.json", {**moved.record, "command": command(moved.config, f"runs/{new.name}")})
    return RunDir(new)


def former_names(run: RunDir) -> list[str]:
    """Former names of a run, the latest last."""
    with suppress(InputError):
        names = read_json(run.path / FORMER)
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return []


def renamed(name: str, runs: Iterable[RunDir]) -> RunDir | None:
    """The run with this former name, or None."""
    return next((run for run in runs if name in former_names(run)), None)


def delete(run: RunDir) -> None:
    """Delete a run: first hide it, then remove its files. Raises InputError if it is missing or in use."""
    _at_rest(run)
    remove(run.path)


def remove(path: Path) -> None:
    """Delete a folder: first hide it, then remove its files. Raises InputError if that fails."""
    hidden = path.parent / ".deleted"
    try:
        hidden.mkdir(exist_ok=True)
        os.rename(path, hidden / uuid.uuid4().hex)
    except OSError as error:
        raise InputError(f"cannot delete {path}: {error.strerror or error}; close programs that use it") from error
    shutil.rmtree(hidden, ignore_errors=True)


def pack(run: RunDir, to: BinaryIO) -> None:
    """Write a run as a zip of its `PARTS` and heads; a finished one without `RESUMING`. InputError if it is in use."""
    _at_rest(run)
    finished = run.status().get("state") == "finished"
    heads = [f"epochs/{n}.safetensors" for n in run.epochs()]
    try:
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in [*PARTS, *heads]:
                if (run.path / name).is_file() and not (finished and name == RESUMING):
                    archive.write(run.path / name, f"{run.name}/{name}")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot zip {run.path}: {error}; was it just deleted?") from error


def unpack(file: BinaryIO, home: Path, *, name: str, taken: Collection[str] = ()) -> RunDir:
    """Import a run from a zip that `pack` wrote on any machine.

    Args:
        file: a zip, seekable.
        home: folder of runs.
        name: of the run; numbered if taken, in `home` or by `taken`.

    Raises:
        InputError: the zip holds anything but a valid run, or imported runs take too much space; nothing is left then.
    """
    from transclipped.runs import imported, uploaded  # imports torch, which a list of runs does not need

    check_name(name)
    incoming = home / ".incoming" / uuid.uuid4().hex
    try:
        incoming.mkdir(parents=True)
        imported.check_room(home, free=shutil.disk_usage(home).free)
        _extract(file, incoming)
        uploaded.check(incoming)
        settle = partial(uploaded.settle, incoming)
        return RunDir(place_numbered(incoming, home, name, taken=taken, prepare=settle))
    except OSError as error:
        raise InputError(f"cannot write to {home}: {error.strerror or error}; free some space") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _at_rest(run: RunDir) -> None:
    if not run.exists:
        raise InputError(f"there is no run {run.name} any more; it was deleted or renamed")
    if (run.path / QUEUED).exists():
        raise InputError(f"{run.name} is queued for training; cancel that first")
    if run.running or writer(run.path):
        raise InputError(f"{run.name} is being trained or measured; stop that first")


def _extract(file: BinaryIO, folder: Path) -> None:
    """Write the parts of a zip into `folder`, after checking all their names."""
    with archives.opened(file, **_ZIP, most_bytes=MAX_UNPACKED, directory=MAX_DIRECTORY) as archive:
        for entry, part in _parts(archive):
            target = folder / part
            target.parent.mkdir(exist_ok=True)
            with target.open("xb") as sink:
                for block in archives.blocks(archive, entry, **_ZIP):
                    sink.write(block)


def _parts(archive: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
    """Entries with the file of a run that each contains."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_FILES:
        raise InputError(f"the zip holds {len(entries):,} files; a run has at most {MAX_FILES:,}")
    tops = {entry.filename.partition("/")[0] for entry in entries if "/" in entry.filename}
    top = f"{tops.pop()}/" if len(tops) == 1 and all("/" in e.filename for e in entries) else ""
    parts: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        part = entry.filename.removeprefix(top)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(f"the zip holds {entry.filename!r}, a link; import refused")
        if not _PART.fullmatch(part) or entry.orig_filename != entry.filename:
            raise InputError(f"the zip holds {entry.orig_filename!r}, which is no part of a run; import refused")
        if part in parts:
            raise InputError(f"the zip holds {part} twice; import refused")
        parts[part] = entry
    if "config.json" not in parts:
        raise InputError("the zip holds no config.json, so it is not a run; use one downloaded from this app")
    return [(entry, part) for part, entry in parts.items()]
