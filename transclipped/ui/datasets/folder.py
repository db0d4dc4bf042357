"""The folder of a visitor's data set, never opened just because the address names it.

`?folder=` and `?labels=` make a view reproducible, but a link may come from anyone. So their paths are read only after
the visitor confirms them here, or if this app has made a collection of that folder before.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import streamlit as st

from transclipped.config import DataConfig
from transclipped.datasets.images import listing
from transclipped.errors import InputError
from transclipped.search import collection_job
from transclipped.search.collection_list import collections
from transclipped.ui import access, runs
from transclipped.ui.datasets import job
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain
from transclipped.utils.jobs import FAILED, FINISHED, RUNNING

MANY = 5_000  # files above which a separate process scans a folder
MOST = 200_000  # counted files
LONGEST = 4096  # characters of a path
RECENT = 8  # offered folders
FOLDER, LABELS = "typed folder", "typed labels"  # keys of widgets
OPENED, ADDRESS = "opened folders", "folder in the address"  # keys of the session

Named = tuple[str, str]  # folder and labels, "" for none


def cleaned(text: str) -> str:
    """A pasted path without quotes, `file://` and trailing slashes."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if text.lower().startswith("file:"):
        text = url2pathname(urlsplit(text).path)
    text = os.path.expanduser(text)
    return text.rstrip(os.sep + "/") or text[:1]


def fields(labels: str | None) -> Named:
    """Draw a field for the folder, and one with this label for labels, if any.

    Returns the folder and labels to open, empty until confirmed.
    """
    folder, lists = (cleaned(st.query_params.get(key, "")) for key in ("folder", "labels"))
    named = (folder, "" if labels is None else lists)
    state = st.session_state
    if state.get(ADDRESS) != named or FOLDER not in state:  # a link was followed, or the visitor returned
        state[ADDRESS], state[FOLDER], state[LABELS] = named, *named
    help_folder = "A path on the machine that runs this app. Its files are not changed."
    help_labels = "Leave it empty if they are inside the folder."
    with st.form("own folder", border=False):
        left, *right = st.columns(1 if labels is None else 2)
        left.text_input("Folder", key=FOLDER, placeholder="/home/me/photographs", help=help_folder)
        for place in right:
            place.text_input(plain(labels), key=LABELS, placeholder="optional", help=help_labels)
        use = {"key": "use folder", "type": "primary", "on_click": _use_typed}
        st.form_submit_button("Use this folder", icon=":material/folder_open:", **use)
    _offer_recent(named)
    if odd := next((text for text in named if len(text) > LONGEST or any(ord(c) < 32 for c in text)), None):
        st.error(f"{plain(repr(odd[:80]))} is not a valid path; type it again")
        return "", ""
    if not named[0]:
        return "", ""
    if named not in state.get(OPENED, ()) and named not in _encoded():
        _confirm(*named)
        return "", ""
    return named


def checked(config: DataConfig) -> DataConfig:
    """The configuration with absolute paths; raises InputError if they do not exist or are not readable."""
    if config.data is None:
        return config
    folder = _on_disk(config.data)
    labels = None if config.labels is None else _on_disk(config.labels)
    if folder.is_file():
        raise InputError(f"{folder} is a file; give its folder, {folder.parent}")
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder} on this machine; check the spelling, and whether it was moved or renamed, "
            "or its disk unplugged"
        )
    if labels is not None and not labels.exists():
        raise InputError(f"{labels} does not exist; correct the path or leave the field empty")
    return replace(config, data=str(folder), labels=None if labels is None else str(labels))


def _on_disk(text: str) -> Path:
    """A path that this visitor may read; raises InputError if they may not or the name is impossible."""
    try:
        path = access.readable(text)
        path.exists()
        return path
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{text[:80]!r} cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def ready(config: DataConfig) -> bool:
    """Whether a folder can be opened now. A process scans a large one first; draws its progress, or how to start it."""
    root = Path(config.data).resolve()
    n = _n_files(str(root))
    if n <= MANY:
        return True
    key = f"opening-{hashlib.sha256(repr((config.dataset, str(root), config.labels)).encode()).hexdigest()[:16]}"
    status = job.of(key).status()
    if status.get("state") == RUNNING:
        _follow(key, root, n)
        return False
    if status.get("state") == FINISHED:
        return True
    count = f"{'more than ' if n > MOST else ''}{n:,} files and folders"
    st.info(f"{plain(root)} contains {count}. A separate process has to scan them once.")
    if status.get("state") == FAILED:
        st.error(plain(status["error"]))
    label = "Resume" if status else "Scan it"
    if st.button(label, icon=":material/manage_search:", key="look through", **access.control()):
        access.require()
        job.start(config, key, quick=True)
        st.rerun()
    return False


@st.fragment(run_every="1s")
@shows_input_errors
def _follow(key: str, root: Path, n: int) -> None:
    """Redraws every second until the folder is scanned, then the whole page once."""
    if not job.of(key).running:
        st.rerun()
    done = listing.n_cached_images(root)
    st.progress(min(1.0, done / n), f"{done:,} images, of {'more than ' if n > MOST else ''}{n:,} files and folders")
    if st.button("Cancel", icon=":material/close:", key="cancel looking", **access.control()):
        access.require()
        job.of(key).cancel()
        st.rerun()


def open_now(folder: str, labels: str = "") -> None:
    """Remember that this visitor opened a folder, and write it into the address; a callback."""
    st.session_state[OPENED] = {*st.session_state.get(OPENED, ()), (folder, labels)}
    for key, value in (("folder", folder), ("labels", labels)):
        if value:
            st.query_params[key] = value
        else:
            st.query_params.pop(key, None)


def _use_typed() -> None:
    open_now(*(cleaned(st.session_state.get(key, "")) for key in (FOLDER, LABELS)))


def _confirm(folder: str, labels: str) -> None:
    """Ask before anything is read from a folder that only a link names."""
    with st.container(border=True, key="ask"):
        more = f" with the labels in **{plain(labels)}**" if labels else ""
        st.markdown(f"This link names a folder. Open **{plain(folder)}**{more}?")
        confirm = {"type": "primary", "on_click": open_now, "args": (folder, labels)}
        st.button("Open it", key="open folder", icon=":material/folder_open:", **confirm)


def _offer_recent(named: Named) -> None:
    """Buttons for folders that were encoded here before."""
    recent = [pair for pair in _encoded() if pair != named][:RECENT]
    if not recent or not access.may():
        return
    with st.container(horizontal=True, vertical_alignment="center", key="recent folders"):
        st.caption("Recent folders:", width="content")
        for i, pair in enumerate(recent):
            name = plain(Path(pair[0]).name or pair[0])
            st.button(name, key=f"recent {i}", type="tertiary", help=plain(pair[0]), on_click=open_now, args=pair)


def _encoded() -> list[Named]:
    """Folders, with their labels, that were encoded in this app; newest first."""
    pairs = [(encoding.folder, encoding.labels or "") for encoding in collection_job.jobs(runs.home())]
    pairs += [(folder, "") for entry in collections(runs.home()) for folder in entry.folders]
    return list(dict.fromkeys(pair for pair in pairs if os.path.isabs(pair[0])))


@st.cache_data(ttl=60, max_entries=16, show_spinner="Counting the files …")
def _n_files(root: str) -> int:
    return listing.n_files(Path(root), most=MOST)
