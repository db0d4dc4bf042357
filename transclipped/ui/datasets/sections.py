"""Sections of the Data sets page: protocol and its files, what is missing, a check of every image, the cache."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pandas as pd
import streamlit as st

from transclipped.analysis import image_sets
from transclipped.config import ANNOTATIONS, POTENTIAL, DataConfig
from transclipped.datasets import storage as kept
from transclipped.datasets.base import ImageSet
from transclipped.datasets.images.check import last_report
from transclipped.datasets.protocols import Split, split_csv
from transclipped.errors import InputError
from transclipped.ui import access, shell
from transclipped.ui.components import gallery
from transclipped.ui.datasets import cached, job
from transclipped.ui.guard import guarded
from transclipped.ui.quantities import time_left
from transclipped.ui.text import plain
from transclipped.ui.train import jobs
from transclipped.utils.files import cache_dir
from transclipped.utils.jobs import RUNNING

NAMED = 1000  # names in a table; the command writes them all
GROUPS = 8  # groups of lookalikes that are shown
MEGABYTE = 1e6
PRIVACY = (
    "**Nothing leaves this machine.** Your images stay where they are and are never changed. A run or a collection "
    "keeps their names, labels and codes. The cache keeps what is listed here; it can be deleted at any time, and is "
    "made again when it is needed."
)


def annotations() -> str:
    """The choice of MIRFLICKR's labels."""
    return st.segmented_control(
        "Annotations", ANNOTATIONS, default=POTENTIAL, required=True, key="annotations", bind="query-params",
        help="24 potential labels, visible at all, as the hashing literature takes them; or 14 relevant ones, which "
        "matter to the image (files ending in _r1); or both.",
    ) or POTENTIAL  # fmt: skip


def protocol(images: ImageSet, config: DataConfig) -> DataConfig:
    """The choice of protocol and seed; returns the configuration with both."""
    st.subheader("Who asks, who is searched?")
    st.caption(
        "A result can only be repeated with the same rows. These files name them; `--split` reads them back, on any "
        "machine."
    )
    if st.session_state.get("protocol") not in images.protocols:
        st.session_state.pop("protocol", None)
    left, right = st.columns(2)
    chosen = left.segmented_control(
        "Protocol", images.protocols, default=images.protocols[0], required=True, key="protocol", bind="query-params",
        help="CIFAR-10: I trains on the whole database, II on 500 images a class. Lists of the literature: listed.",
    )  # fmt: skip
    seed = right.number_input(
        "Seed", 0, 9999, 0, key="seed", bind="query-params", help="Of the draw, where one is made."
    )
    return replace(config, protocol=chosen or images.protocols[0], seed=int(seed))


def drawn_split(images: ImageSet, config: DataConfig) -> tuple[Split | None, dict]:
    """The rows that a configuration draws; None, with the reason on the page, where none can be drawn."""
    try:
        return cached.split_of(images.fingerprint, config, images)
    except InputError as error:
        st.warning(plain(error))
        return None, {}


@guarded
def rows_as_files(images: ImageSet, config: DataConfig, split: Split) -> None:
    """The rows of a split to take along, and the command that draws them again."""
    stem = f"{images.name}-{split.protocol}-{split.seed}"
    with st.container(horizontal=True):
        st.download_button(
            "Rows as JSON", lambda: json.dumps(split.to_json(images), ensure_ascii=False), f"{stem}.json",
            "application/json", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        st.download_button(
            "Rows as CSV", lambda: split_csv(split, images), f"{stem}.csv", "text/csv", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip
    with shell.aside("split-command"):
        st.caption(f"The same from a terminal (fingerprint of these images: {plain(images.fingerprint)}):")
        parts = ["python", "-m", "transclipped", "datasets", "split", config.dataset]
        parts += [config.data] if config.data else []
        parts += ["--labels", config.labels] if config.labels else []
        parts += ["--annotations", config.annotations] if config.annotations != POTENTIAL else []
        parts += ["--protocol", split.protocol, "--seed", str(split.seed), "--out", f"{stem}.json"]
        st.code(shlex.join(parts), language="bash", wrap_lines=True)


@guarded
def missing(images: ImageSet) -> None:
    """What is listed but not there, and what was left out, by name and reason."""
    gone = getattr(images, "missing", [])
    notes = getattr(images, "notes", [])
    st.subheader("What is missing?")
    if sources := getattr(images, "sources", []):
        st.caption(f"Labels from {plain(', '.join(sources))}.")
    for note in notes:
        st.info(plain(note))
    if not gone and not images.skipped:
        st.caption("Nothing: every image that is listed is here, and no file was left out.")
        return
    rows = [(str(name), "it is not there") for name in gone] + [(str(name), why) for name, why in images.skipped]
    st.caption(f"{len(gone):,} listed images are not there; {len(images.skipped):,} files or lines cannot be used.")
    st.dataframe(pd.DataFrame(rows[:NAMED], columns=["name", "why"]), hide_index=True, height=240)
    if len(rows) > NAMED:
        st.caption(f"The first {NAMED:,} of {len(rows):,}; `datasets check … --names FILE` writes them all.")


@guarded
def check(images: ImageSet, config: DataConfig, split: Split | None) -> None:
    """The last check of every image, and the button that starts one."""
    st.subheader("Is every image whole, and is any there twice?")
    checking = job.of(images.fingerprint).status()
    if checking.get("state") == RUNNING:
        _follow(images.fingerprint)
        return
    report = last_report(images.fingerprint)
    if report is None and checking.get("error"):
        st.error(plain(checking["error"]))
    st.caption(
        "A check decodes every image, in a process of its own, and compares them all: files with the same content, "
        "and images that look alike although their files differ."
    )
    if st.button("Check every image" if report is None else "Check again", icon=":material/fact_check:",
                 **access.control(access.TRAIN)):  # fmt: skip
        job.start(config, images.fingerprint)
        st.rerun()
    if report is not None:
        _reported(report, images, split)


@st.fragment(run_every="1s")
def _follow(fingerprint: str) -> None:
    """Redraws every second until the check ends, then the whole page once."""
    status = job.of(fingerprint).status()
    if status.get("state") != RUNNING:
        st.rerun()
    done, total = status.get("done", 0), status.get("total", 0)
    left = status.get("seconds", 0) / done * (total - done) if done else None
    text = f"{done:,} of {total:,} images{time_left(left)}" if total else "Opening the images …"
    st.progress(min(1.0, done / total) if total else 0.0, text)


@guarded
def _reported(report: dict, images: ImageSet, split: Split | None) -> None:
    columns = st.columns([1.7, 1, 1, 1])
    columns[0].metric("Decoded", f"{report['decoded']:,} of {report['found']:,}")
    columns[1].metric("Damaged", f"{report['damaged']['count']:,}")
    columns[2].metric("Same file twice", f"{report['same_file']['extra']:,}", help="Files beyond the first of each.")
    columns[3].metric(
        "Lookalikes", f"{report['look_alike']['extra']:,}",
        help="Images beyond the first of each group whose sketches agree: resized, recompressed, slightly edited.",
    )  # fmt: skip
    formats = ", ".join(f"{count:,} {name}" for name, count in report["formats"].items())
    side = report["shorter_side"]
    if side:
        sides = f"{side['min']:,} to {side['max']:,} pixels, median {side['median']:,}"
        st.caption(f"{plain(formats)}. Shorter side {sides}.")
    if report["damaged"]["pictures"]:
        st.dataframe(pd.DataFrame(report["damaged"]["pictures"]), hide_index=True, height=180)
    for kind, title in (("same_file", "The same file"), ("look_alike", "Lookalikes")):
        if groups := report[kind]["ids"]:
            _groups(
                groups, images, kind, f"**{title}**, {min(GROUPS, len(groups))} of {report[kind]['groups']:,} groups."
            )
            if split is not None and (both := image_sets.across(groups, images, split)):
                st.warning(
                    f"{both:,} of the first {len(groups):,} groups have images among the queries and in the "
                    f"database: such a query finds its twin, which flatters every method alike."
                )


def _groups(groups: list[list[str]], images: ImageSet, key: str, title: str) -> None:
    st.markdown(title)
    tiles = []
    for number, group in enumerate(groups[:GROUPS], start=1):
        for name in group[:4]:
            if (row := images.find(name)) is not None:
                image = cached.image(images.fingerprint, row, images)
                more = f" (of {len(group)})" if len(group) > 4 else ""
                tiles.append(gallery.Tile(id=name, image=image, caption=f"{number}{more} · {name}", title=name))
    gallery.draw(tiles, key=key)


@st.fragment
@guarded
def storage() -> None:
    """What the cache holds, its size, and the way to clear it."""
    with shell.aside("storage"):
        st.subheader("What is kept of your images, and where?")
        st.markdown(PRIVACY)
        if freed := st.session_state.pop("freed", None):
            st.success(f"{freed / MEGABYTE:,.1f} MB are free again.")
        kinds = kept.stored()
        total = sum(kind.bytes for kind in kinds)
        st.caption(f"The cache, {plain(cache_dir())}, takes {total / MEGABYTE:,.1f} MB.")
        if not kinds:
            return
        lines = [(kind.name, kind.bytes / MEGABYTE, kind.files, kind.what) for kind in kinds]
        st.dataframe(
            pd.DataFrame(lines, columns=["kept", "MB", "files", "what it is"]), hide_index=True,
            column_config={"MB": st.column_config.NumberColumn(format="%.1f")},
        )  # fmt: skip
        with st.popover("Clear the cache …", icon=":material/delete:", **access.control()):
            _clear([kind.name for kind in kinds])


def _clear(names: list[str]) -> None:
    chosen = st.multiselect("Delete", names, names, key="clear", help="Embeddings take the longest to make again.")
    if (busy := jobs.busy()) is not None:
        st.caption(f"{plain(busy.name)} is being trained and needs the cache; wait until it is done.")
    if st.button("Delete", type="primary", key="clear now",
                 **access.control(disabled=busy is not None or not chosen)):  # fmt: skip
        access.require()
        st.session_state["freed"] = kept.clear(chosen)
        st.rerun()
