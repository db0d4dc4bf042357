"""The folder of a visitor's own data set: typed by them, never opened because an address alone names it.

`?folder=` and `?labels=` make a view repeatable, but a link may come from anybody. So what they name is read only after
somebody pressed a button here, or where a collection of that folder has been made in this app before.
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
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain
from transclipped.utils.jobs import FAILED, FINISHED, RUNNING

MANY = 5_000  # files above which a separate process scans a folder
MOST = 200_000  # files that are counted
LONGEST = 4096  # characters of a path
RECENT = 8  # folders that are offered again
FOLDER, LABELS = "typed folder", "typed labels"  # widgets
OPENED, ADDRESS = "opened folders", "folder in the address"  # of the session

Named = tuple[str, str]  # folder and labels, "" for none


def cleaned(text: str) -> str:
    """A pasted path, without the quotes, `file://` or trailing slash of where they copied it."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if text.lower().startswith("file:"):
        text = url2pathname(urlsplit(text).path)
    text = os.path.expanduser(text)
    return text.rstrip(os.sep + "/") or text[:1]


def fields(labels: str) -> Named:
    """Two fields and a button; returns the folder and labels that may be opened, empty until there are any.

    Args:
        labels: what the second field is for.
    """
    named = _in_address()
    state = st.session_state
    if state.get(ADDRESS) != named or FOLDER not in state:  # a link, or the visitor comes back
        state[ADDRESS], state[FOLDER], state[LABELS] = named, *named
    with st.form("own folder", border=False):
        left, right = st.columns(2)
        left.text_input("Folder", key=FOLDER, placeholder="/home/me/photographs",
                        help="A path on the machine that runs this app. Nothing in it is changed.")  # fmt: skip
        right.text_input(
            plain(labels), key=LABELS, placeholder="optional", help="Leave it empty if they lie below the folder."
        )
        st.form_submit_button("Use this folder", type="primary", icon=":material/folder_open:", key="use folder",
                              on_click=_use_typed)  # fmt: skip
    _offer_recent(named)
    if odd := next((text for text in named if len(text) > LONGEST or any(ord(c) < 32 for c in text)), None):
        st.error(f"{plain(repr(odd[:80]))} cannot name a file; type the path again")
        return "", ""
    if not named[0]:
        return "", ""
    if named not in state.get(OPENED, ()) and named not in _made_here():
        _ask(named)
        return "", ""
    return named


def checked(config: DataConfig) -> DataConfig:
    """The configuration with its paths as they lie on the disk.

    Raises:
        InputError: this visitor may not read them, or they are not there.
    """
    if config.data is None:
        return config
    folder = _on_disk(config.data)
    labels = None if config.labels is None else _on_disk(config.labels)
    if folder.is_file():
        raise InputError(f"{folder} is a file; give the folder that it lies in, {folder.parent}")
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder} on this machine; check the spelling, and whether it was moved "
            "or renamed or its disk unplugged"
        )
    if labels is not None and not labels.exists():
        raise InputError(f"there is no {labels}; correct the path, or leave the field empty")
    return replace(config, data=str(folder), labels=None if labels is None else str(labels))


def _on_disk(text: str) -> Path:
    """A path that this visitor may read.

    Raises:
        InputError: it lies elsewhere, or no file can have this name.
    """
    try:
        path = access.readable(text)
        path.exists()
        return path
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{text[:80]!r} cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def ready(config: DataConfig) -> bool:
    """Whether a folder can be opened at once; a process scans a large one first, and its progress is drawn here.

    Raises:
        InputError: that process could not open it.
    """
    root = Path(config.data).resolve()
    n = _n_files(str(root))
    if n <= MANY:
        return True
    key = f"opening-{hashlib.sha256(repr((config.dataset, str(root), config.labels)).encode()).hexdigest()[:16]}"
    check = job.of(key).status()
    if check.get("state") == RUNNING:
        _follow(key, root, n)
        return False
    if check.get("state") == FINISHED:
        return True
    st.info(
        f"{'More than ' if n > MOST else ''}{n:,} files and folders lie in {plain(root)}. The first time, a separate "
        "process scans them."
    )
    if check.get("state") == FAILED:
        st.error(plain(check["error"]))
    if st.button("Resume" if check else "Scan it", icon=":material/manage_search:", key="look through",
                 **access.control()):  # fmt: skip
        access.require()
        job.start(config, key, quick=True)
        st.rerun()
    return False


@st.fragment(run_every="1s")
@guarded
def _follow(key: str, root: Path, n: int) -> None:
    """Redraws every second until the folder is scanned, then the whole page once."""
    if not job.of(key).running:
        st.rerun()
    done = listing.n_remembered(root)
    st.progress(min(1.0, done / n), f"{done:,} images, of {'more than ' if n > MOST else ''}{n:,} files and folders")
    if st.button("Cancel", icon=":material/close:", key="cancel looking", **access.control()):
        access.require()
        job.of(key).cancel()
        st.rerun()


def open_now(folder: str, labels: str = "") -> None:
    """Mark a folder as opened by this visitor, and write it into the address; a callback."""
    named = (folder, labels)
    st.session_state[OPENED] = {*st.session_state.get(OPENED, ()), named}
    for key, value in zip(("folder", "labels"), named, strict=True):
        if value:
            st.query_params[key] = value
        else:
            st.query_params.pop(key, None)


def _use_typed() -> None:
    open_now(*(cleaned(st.session_state.get(key, "")) for key in (FOLDER, LABELS)))


def _in_address() -> Named:
    return tuple(cleaned(st.query_params.get(key, "")) for key in ("folder", "labels"))


def _ask(named: Named) -> None:
    """A link names a folder: nothing in it is read before the visitor agrees."""
    folder, labels = named
    with st.container(border=True, key="ask"):
        more = f" with the labels in **{plain(labels)}**" if labels else ""
        st.markdown(f"This link names a folder. Open **{plain(folder)}**{more}?")
        st.button("Open it", key="open folder", type="primary", icon=":material/folder_open:",
                  on_click=open_now, args=named)  # fmt: skip


def _offer_recent(named: Named) -> None:
    """Buttons for folders that were encoded here before."""
    recent = [pair for pair in _made_here() if pair != named][:RECENT]
    if not recent or not access.may():
        return
    with st.container(horizontal=True, vertical_alignment="center", key="recent folders"):
        st.caption("Used before:", width="content")
        for i, pair in enumerate(recent):
            name = plain(Path(pair[0]).name or pair[0])
            st.button(name, key=f"recent {i}", type="tertiary", help=plain(pair[0]), on_click=open_now, args=pair)


def _made_here() -> list[Named]:
    """Folders, with their labels, that were encoded in this app; newest first."""
    pairs = [(job.folder, job.labels or "") for job in collection_job.jobs(runs.home())]
    pairs += [(folder, "") for entry in collections(runs.home()) for folder in entry.folders]
    return list(dict.fromkeys(pair for pair in pairs if os.path.isabs(pair[0])))


@st.cache_data(ttl=60, max_entries=16, show_spinner="Looking into the folder …")
def _n_files(root: str) -> int:
    return listing.n_files(Path(root), most=MOST)
