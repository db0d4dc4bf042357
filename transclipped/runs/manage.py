"""Runs as things to keep: name, delete, pack into a zip, take in from one.

A folder appears under its name by one rename, filled already, and vanishes by one; whoever looks meanwhile meets a
whole run or none. A zip from elsewhere is trusted in nothing: `unpack` reads only files that a run consists of, counts
the bytes that really come out, and `uploaded.check` looks at what they hold before the run appears.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import unicodedata
import uuid
import zipfile
from collections.abc import Collection, Iterable
from contextlib import suppress
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
MOST_BYTES = 240  # of a name in UTF-8: file systems take 255, some for ".zip" or "-2" behind it
NAME_RULE = f"Letters and digits, with - _ . between them and no spaces; at most {LONGEST_NAME} characters."
FORMER = "former.json"  # names that a run had before, the latest last
MAX_UNPACKED = 400_000_000  # bytes of all files together
MAX_FILES = 1000
MAX_DIRECTORY = 200_000  # bytes of a zip's table of contents: 1,000 files are 100,000
_ZIP = {"what": "the zip", "remedy": "use one that was downloaded here"}
_PART = re.compile(rf"(?:{'|'.join(map(re.escape, PARTS))}|epochs/[0-9]{{1,6}}\.safetensors)")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}  # Windows


def check_name(name: str) -> str:
    """`name`, if it keeps `NAME_RULE`; accents are composed, since file systems differ in how they store them.

    Raises:
        InputError: it does not; the message offers a name that does.
    """
    composed = unicodedata.normalize("NFC", name)
    if composed == fitting_name(composed):
        return composed
    raise InputError(f"{name[:200]!r} cannot be a name; {fitting_name(composed)} could. {NAME_RULE}")


def fitting_name(text: str, *, otherwise: str = "run") -> str:
    """The name nearest to `text` that keeps `NAME_RULE`; `otherwise` where nothing is left of it."""
    composed = unicodedata.normalize("NFC", text)
    parts = "".join(c if unicodedata.category(c)[0] in "LMN" or c in "-_." else " " for c in composed).split()
    name = "-".join(parts).strip("-_.")
    while len(name) > LONGEST_NAME or len(name.encode()) > MOST_BYTES:
        name = name[:-1].rstrip("-_.")
    if not name or unicodedata.category(name[0])[0] == "M":
        return otherwise
    reserved = name.partition(".")[0].lower() in _RESERVED
    return fitting_name(f"{otherwise}-{name}") if reserved else name


def numbered(name: str, taken: Collection[str]) -> str:
    """`name`, or the first of name-2, name-3, … that is not taken."""
    return next(new for i in range(1, 100_000) if (new := name if i == 1 else f"{name}-{i}") not in taken)


def place(folder: Path, path: Path) -> None:
    """Let a filled folder appear as `path`, all at once.

    Raises:
        InputError: there is something of that name already, or the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if path.exists():
            raise FileExistsError(path)
        os.rename(folder, path)  # onto a filled folder this fails, so of two at once one wins
    except OSError as error:
        if path.exists():
            raise InputError(f"there is a run {path.name} already; choose another name") from error
        raise InputError(f"cannot make {path}: {error.strerror or error}; choose another folder") from error


def rename(run: RunDir, name: str) -> RunDir:
    """Give a run another name; `renamed` finds it by the old one.

    Raises:
        InputError: the name is not fit or taken; the run is gone, waits in the queue or is being trained.
    """
    _at_rest(run)
    if name == run.name:
        return run
    new = run.path.with_name(check_name(name))
    place(run.path, new)
    with suppress(InputError):  # a full disk only costs links their way
        write_json(new / FORMER, [*former_names(RunDir(new)), run.name])
    with suppress(InputError):  # a damaged config.json keeps no command to correct
        moved = RunDir(new)
        write_json(new / "config.json", {**moved.record, "command": command(moved.config, f"runs/{new.name}")})
    return RunDir(new)


def former_names(run: RunDir) -> list[str]:
    """Names that a run had before, the latest last."""
    with suppress(InputError):
        names = read_json(run.path / FORMER)
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return []


def renamed(name: str, runs: Iterable[RunDir]) -> RunDir | None:
    """The run that was called `name` and is called otherwise now; None if none was."""
    return next((run for run in runs if name in former_names(run)), None)


def delete(run: RunDir) -> None:
    """Delete a run of one's own: first out of sight, then from the disk.

    Raises:
        InputError: it is gone already, waits in the queue or is being trained, or the disk refuses.
    """
    _at_rest(run)
    remove(run.path)


def remove(path: Path) -> None:
    """Delete a folder: first out of sight, then from the disk.

    Raises:
        InputError: it is gone already, or the disk refuses.
    """
    hidden = path.parent / ".deleted"
    try:
        hidden.mkdir(exist_ok=True)
        os.rename(path, hidden / uuid.uuid4().hex)
    except OSError as error:
        raise InputError(f"cannot delete {path}: {error.strerror or error}; close what uses its files") from error
    shutil.rmtree(hidden, ignore_errors=True)


def pack(run: RunDir, to: BinaryIO) -> None:
    """Write a run as a zip: its parts and nothing else; without the optimizer's state where it is finished.

    Raises:
        InputError: it is gone, or is being trained.
    """
    _at_rest(run)
    finished = run.status().get("state") == "finished"
    heads = [f"epochs/{n}.safetensors" for n in run.epochs()]
    try:
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in [*PARTS, *heads]:
                if (run.path / name).is_file() and not (finished and name == RESUMING):
                    archive.write(run.path / name, f"{run.name}/{name}")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot pack {run.path}: {error}; was it deleted just now?") from error


def unpack(file: BinaryIO, home: Path, *, name: str, taken: Collection[str] = ()) -> RunDir:
    """Take in a run that `pack` wrote, somewhere.

    Args:
        file: a zip, seekable.
        home: folder of runs.
        name: for the run; numbered where it is taken.
        taken: names that it must not get beside those in `home`.

    Raises:
        InputError: anything in the zip is not what a run consists of, or imported runs take too much room already;
            nothing is left behind then.
    """
    from transclipped.runs import imported, uploaded  # brings torch, which a list of runs can do without

    check_name(name)
    incoming = home / ".incoming" / uuid.uuid4().hex
    try:
        incoming.mkdir(parents=True)
        imported.check_room(home, free=shutil.disk_usage(home).free)
        _extract(file, incoming)
        uploaded.check(incoming)
        while True:
            new = numbered(name, {*taken, *(path.name for path in home.iterdir())})
            uploaded.settle(incoming, name=new)
            with suppress(InputError):  # somebody was quicker: the next number
                place(incoming, home / new)
                return RunDir(home / new)
            if not (home / new).exists():
                raise InputError(f"cannot make {home / new}; choose another folder of runs")
    except OSError as error:
        raise InputError(f"cannot write below {home}: {error.strerror or error}; free some space") from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _at_rest(run: RunDir) -> None:
    if not run.exists:
        raise InputError(f"there is no run {run.name} any more; it was deleted or renamed")
    if (run.path / QUEUED).exists():
        raise InputError(f"{run.name} waits for its training; cancel that first")
    if run.running or writer(run.path):
        raise InputError(f"{run.name} is being trained or measured; stop that first")


def _extract(file: BinaryIO, folder: Path) -> None:
    """Write the parts of a zip into `folder`, after looking at all their names."""
    with archives.opened(file, **_ZIP, most_bytes=MAX_UNPACKED, directory=MAX_DIRECTORY) as archive:
        for entry, part in _parts(archive):
            target = folder / part
            target.parent.mkdir(exist_ok=True)
            with target.open("xb") as sink:
                for block in archives.blocks(archive, entry, **_ZIP):
                    sink.write(block)


def _parts(archive: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
    """Entries with the part of a run that each is."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_FILES:
        raise InputError(f"the zip holds {len(entries):,} files; a run has at most {MAX_FILES:,}")
    tops = {entry.filename.partition("/")[0] for entry in entries if "/" in entry.filename}
    top = f"{tops.pop()}/" if len(tops) == 1 and all("/" in e.filename for e in entries) else ""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        part = entry.filename.removeprefix(top)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(f"the zip holds {entry.filename!r}, a link; it is not taken in")
        if not _PART.fullmatch(part) or entry.orig_filename != entry.filename:
            raise InputError(f"the zip holds {entry.orig_filename!r}, which is no part of a run; it is not taken in")
        if part in found:
            raise InputError(f"the zip holds {part} twice; it is not taken in")
        found[part] = entry
    if "config.json" not in found:
        raise InputError("the zip holds no config.json, so it is not a run; use one that was downloaded here")
    return [(entry, part) for part, entry in found.items()]
