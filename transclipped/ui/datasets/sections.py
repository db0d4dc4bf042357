"""Sections of the Data sets page: protocol and rows, missing files, a check of every image, the cache."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pandas as pd
import streamlit as st

from transclipped.analysis import image_sets
from transclipped.config import ANNOTATIONS, POTENTIAL, DataConfig
from transclipped.datasets import storage as cache
from transclipped.datasets.base import ImageSet
from transclipped.datasets.images.check import last_report
from transclipped.datasets.protocols import Split, split_csv
from transclipped.errors import InputError
from transclipped.ui import access, shell
from transclipped.ui.components import gallery
from transclipped.ui.datasets import cached, job
from transclipped.ui.glossary import paragraph
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.quantities import time_left
from transclipped.ui.text import plain
from transclipped.ui.train import jobs
from transclipped.utils.files import cache_dir
from transclipped.utils.jobs import RUNNING

NAMED = 1000  # names in a table; the command writes all
GROUPS = 8  # groups of duplicates in a gallery
MEGABYTE = 1e6
PRIVACY = (
    "**Nothing leaves this machine.** Your images stay where they are and are never changed. A run or a collection "
    "stores their names, labels and codes. The cache stores what is listed here; you can delete it at any time, and it "
    "is rebuilt when needed."
)
ANNOTATIONS_HELP = (
    "24 potential labels, for anything visible, as in the hashing literature; or 14 relevant ones, for what matters "
    "in the image (files ending in _r1); or both."
)
PROTOCOL_HELP = (
    "CIFAR-10: I trains on the whole database, II on 500 images per class. listed: the lists used in the literature."
)


def annotations() -> str:
    """Draw the choice of MIRFLICKR's labels."""
    options = {"default": POTENTIAL, "required": True, "key": "annotations", "bind": "query-params"}
    return st.segmented_control("Annotations", ANNOTATIONS, help=ANNOTATIONS_HELP, **options) or POTENTIAL


def protocol(images: ImageSet, config: DataConfig) -> DataConfig:
    """Draw the choice of protocol and seed; returns the configuration with both."""
    st.header("Queries and database")
    paragraph("A [protocol] says which images are queries, which are searched, and which are trained on.")
    st.caption("Reproducing a result needs the same rows. These files name them; `--split` reads them on any machine.")
    if st.session_state.get("protocol") not in images.protocols:
        st.session_state.pop("protocol", None)
    left, right = st.columns(2)
    first = images.protocols[0]
    options = {"default": first, "required": True, "key": "protocol", "bind": "query-params", "help": PROTOCOL_HELP}
    chosen = left.segmented_control("Protocol", images.protocols, **options)
    seed = right.number_input("Seed", 0, 9999, 0, key="seed", bind="query-params", help="For protocols that sample.")
    return replace(config, protocol=chosen or first, seed=int(seed))


def load_split(images: ImageSet, config: DataConfig) -> tuple[Split | None, dict]:
    """The configured split and its description; None, with the reason on the page, if it is impossible."""
    try:
        return cached.split_of(images.fingerprint, config, images)
    except InputError as error:
        st.warning(plain(error))
        return None, {}


@shows_input_errors
def rows_as_files(images: ImageSet, config: DataConfig, split: Split) -> None:
    """Draw the downloads of a split, and the command that makes the same one."""
    stem = f"{images.name}-{split.protocol}-{split.seed}"
    options = {"on_click": "ignore", "icon": ":material/download:"}

    def as_json() -> str:
        return json.dumps(split.to_json(images), ensure_ascii=False)

    with st.container(horizontal=True):
        st.download_button("Rows as JSON", as_json, f"{stem}.json", "application/json", **options)
        st.download_button("Rows as CSV", lambda: split_csv(split, images), f"{stem}.csv", "text/csv", **options)
    with shell.aside("split-command"):
        st.caption(f"On the command line (fingerprint of these images: {plain(images.fingerprint)}):")
        parts = ["python", "-m", "transclipped", "datasets", "split", config.dataset]
        parts += [config.data] if config.data else []
        parts += ["--labels", config.labels] if config.labels else []
        parts += ["--annotations", config.annotations] if config.annotations != POTENTIAL else []
        parts += ["--protocol", split.protocol, "--seed", str(split.seed), "--out", f"{stem}.json"]
        st.code(shlex.join(parts), language="bash", wrap_lines=True)


@shows_input_errors
def missing(images: ImageSet) -> None:
    """Draw the listed images that do not exist and the files that were skipped, with reasons."""
    gone = getattr(images, "missing", [])
    st.header("Missing files")
    if sources := getattr(images, "sources", []):
        st.caption(f"Labels from {plain(', '.join(sources))}.")
    for note in getattr(images, "notes", []):
        st.info(plain(note))
    if not gone and not images.skipped:
        st.caption("None: every listed image exists, and no file was skipped.")
        return
    rows = [(str(name), "does not exist") for name in gone] + [(str(name), why) for name, why in images.skipped]
    st.caption(f"{len(gone):,} listed images do not exist; {len(images.skipped):,} files or lines cannot be used.")
    st.dataframe(pd.DataFrame(rows[:NAMED], columns=["name", "why"]), hide_index=True, height=240)
    if len(rows) > NAMED:
        st.caption(f"The first {NAMED:,} of {len(rows):,}; `datasets check … --names FILE` writes all.")


@shows_input_errors
def check(images: ImageSet, config: DataConfig, split: Split | None) -> None:
    """Draw the last check of every image, and the button that starts one."""
    st.header("Damaged and duplicate images")
    status = job.of(images.fingerprint).status()
    if status.get("state") == RUNNING:
        _follow(images.fingerprint)
        return
    report = last_report(images.fingerprint)
    if report is None and status.get("error"):
        st.error(plain(status["error"]))
    st.caption(
        "A check decodes every image in a separate process and finds duplicates: files with the same content, and "
        "images that look alike although their files differ."
    )
    label, allowed = "Check every image" if report is None else "Check again", access.control(access.TRAIN)
    if st.button(label, icon=":material/fact_check:", **allowed):
        job.start(config, images.fingerprint)
        st.rerun()
    if report is not None:
        _draw_report(report, images, split)


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


@shows_input_errors
def _draw_report(report: dict, images: ImageSet, split: Split | None) -> None:
    alike = "Images beyond the first of each group of near-duplicates: resized, recompressed or slightly edited."
    same = "Files beyond the first of each group of identical files."
    columns = st.columns([1.7, 1, 1, 1])
    columns[0].metric("Decoded", f"{report['decoded']:,} of {report['found']:,}")
    columns[1].metric("Damaged", f"{report['damaged']['count']:,}")
    columns[2].metric("Duplicate files", f"{report['same_file']['extra']:,}", help=same)
    columns[3].metric("Near-duplicates", f"{report['look_alike']['extra']:,}", help=alike)
    formats = ", ".join(f"{count:,} {name}" for name, count in report["formats"].items())
    if side := report["shorter_side"]:
        sides = f"{side['min']:,} to {side['max']:,} pixels, median {side['median']:,}"
        st.caption(f"{plain(formats)}. Shorter side {sides}.")
    if report["damaged"]["pictures"]:
        st.dataframe(pd.DataFrame(report["damaged"]["pictures"]), hide_index=True, height=180)
    for kind, title in (("same_file", "Duplicate files"), ("look_alike", "Near-duplicates")):
        if groups := report[kind]["ids"]:
            st.markdown(f"**{title}**, {min(GROUPS, len(groups))} of {report[kind]['groups']:,} groups.")
            _draw_groups(groups, images, kind)
            if split is not None and (both := image_sets.across(groups, images, split)):
                st.warning(
                    f"{both:,} of the first {len(groups):,} groups have images among the queries and in the "
                    "database: such a query finds its duplicate, which inflates mAP for every method alike."
                )


def _draw_groups(groups: list[list[str]], images: ImageSet, key: str) -> None:
    tiles = []
    for number, group in enumerate(groups[:GROUPS], start=1):
        for name in group[:4]:
            if (row := images.find(name)) is not None:
                image = cached.image(images.fingerprint, row, images)
                more = f" (of {len(group)})" if len(group) > 4 else ""
                tiles.append(gallery.Tile(id=name, image=image, caption=f"{number}{more} · {name}", title=name))
    gallery.draw(tiles, key=key)


@st.fragment
@shows_input_errors
def storage() -> None:
    """Draw what the cache holds, its size, and the button that clears it."""
    with shell.aside("storage"):
        st.header("Stored data")
        st.markdown(PRIVACY)
        if freed := st.session_state.pop("freed", None):
            st.success(f"{freed / MEGABYTE:,.1f} MB were freed.")
        kinds = cache.stored()
        total = sum(kind.bytes for kind in kinds)
        st.caption(f"The cache, {plain(cache_dir())}, takes {total / MEGABYTE:,.1f} MB.")
        if not kinds:
            return
        lines = [(kind.name, kind.bytes / MEGABYTE, kind.files, kind.what) for kind in kinds]
        table = pd.DataFrame(lines, columns=["kind", "MB", "files", "content"])
        formats = {"MB": st.column_config.NumberColumn(format="%.1f")}
        st.dataframe(table, hide_index=True, column_config=formats)
        with st.popover("Clear the cache …", icon=":material/delete:", **access.control()):
            names = [kind.name for kind in kinds]
            chosen = st.multiselect("Delete", names, names, key="clear", help="Embeddings take longest to recompute.")
            if (busy := jobs.busy()) is not None:
                st.caption(f"{plain(busy.name)} is training and needs the cache; wait until it is done.")
            allowed = access.control(disabled=busy is not None or not chosen)
            if st.button("Delete", type="primary", key="clear now", **allowed):
                access.require()
                st.session_state["freed"] = cache.clear(chosen)
                st.rerun()
