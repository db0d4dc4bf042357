"""Sections of the Overview page: an image's path to its code, results, links to other pages, and machine checks."""

from __future__ import annotations

import random

import streamlit as st

from transclipped.analysis import benchmarks, readiness
from transclipped.models.zoo import CNN, HYBRID, available
from transclipped.ui import absent, access, cached, quantities, runs, shell
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.overview import cached as overview_cached
from transclipped.ui.overview import story
from transclipped.ui.text import plain
from transclipped.utils.files import ASSETS

STRIDE = {CNN: 32}  # pixels per side of one position of the last feature map; 16 for transformers
HITS = 5
RELIABILITY = ASSETS / "reliability.md"
MARKS = {True: "✅", False: "⚠️", None: "ℹ️"}
HELP = {
    "map": "Mean over queries of the average precision among the first K hits; 1 is perfect. Below it: the difference "
    "to the same training without clipping, each at its best temperature, if there is such a run.",
    "clipped_backbone": " Both use one backbone that was itself trained with clipping, which leaves little to "
    "gain. README's study starts from a backbone trained without clipping: there the gain is 0.03 to 0.1.",
    "code": "Stored per image.",
    "all": "The codes of the whole database: what a search scans.",
    "clipping": "The rule that leaves out likely false negatives, and how much it clips.",
}


def query_number(run) -> int:
    """The stored query that `?picture=` names; the first otherwise."""
    n = len(cached.arrays(run).queries)
    if st.session_state.pop("another", False):
        st.query_params["picture"] = str(random.randrange(n))
    value = st.query_params.get("picture", "0")
    if value.isdecimal() and int(value) < n:
        return int(value)
    absent.missing("picture", value, instead="0")
    return 0


def path_to_code(run, query: int, image) -> None:
    """Six drawings of a stored query, a button for another one, and a link to Anatomy."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    left.caption("From an image to its code, with the numbers of this run:")
    right.button("Another image", icon=":material/casino:", key="another", width="stretch")
    backbone = run.config.backbone.name
    network = {"image_size": run.record.get("image_size") or 96, "stride": STRIDE.get(backbone, 16)}
    path = overview_cached.story_of(run.fingerprint, query, run)
    st.html(story.stations(image, path, **network, scale=shell.scale(), cnn=backbone == CNN))
    if (shell.ROOT / "pages" / "anatomy.py").is_file():
        label, icon = "Follow this image through the network, step by step", ":material/account_tree:"
        st.page_link("pages/anatomy.py", label=label, icon=icon, query_params={"query": str(query)})


def results(run) -> None:
    """mAP and its gain by clipping, bytes per image, bytes of all codes, the rule."""
    st.subheader("Results")
    metrics = cached.metrics(run)
    mode = metrics["modes"].get("asymmetric", {})
    row = st.container(horizontal=True, gap="medium")
    if mode.get("map") is not None:
        rival = benchmarks.without_clipping(run, runs.all_runs().values())
        other = rival and cached.metrics(rival)["modes"].get("asymmetric", {}).get("map")
        gain = f"{mode['map'] - other:+.3f} by clipping" if other is not None else None
        backbone = run.config.backbone
        bundled = (backbone.name, backbone.weights, backbone.train) == (HYBRID, None, "frozen")
        about = HELP["map"] + HELP["clipped_backbone"] * (gain is not None and bundled)
        few = f", {metrics['n_queries']:,} queries" if metrics["n_queries"] < quantities.FEW else ""
        row.metric(f"mAP@{plain(metrics['k'])}{few}", f"{mode['map']:.3f}", gain, help=about, width="content")
    row.metric("Code", f"{plain(metrics['bytes_per_item'])} bytes", help=HELP["code"], width="content")
    size = quantities.size(metrics["n_database"] * metrics["bytes_per_item"])
    row.metric(f"All {metrics['n_database']:,} codes", size, help=HELP["all"], width="content")
    row.metric("Clipping", plain(benchmarks.clipping_of(run.config.clipping)), help=HELP["clipping"], width="content")


def next_pages(run, query: int, image) -> None:
    """Links to Retrieval, Clipping and Train, each with a small drawing of the run's numbers."""
    st.subheader("Next")
    one, two, three = st.columns(3)
    hits = overview_cached.hits(run.fingerprint, query, HITS, run)
    relevant = sum(relevant is True for _, relevant in hits)
    text = f"{relevant} of its first {len(hits)} hits share its class." if hits[0][1] is not None else "Its first hits."
    drawing, text = story.hits(image, hits, scale=shell.scale()), f"A search with the image above. {text}"
    _page(one, "retrieval", "Search with it", "image_search", drawing, text, query=str(query))
    pairs = overview_cached.pairs(run.fingerprint, run)
    text = "Similarity of image pairs; the most similar 5% lie right of the line."
    if pairs.share is not None and pairs.top_share is not None:
        whole = quantities.share(round(pairs.share * pairs.n_pairs), pairs.n_pairs)
        top = quantities.share(round(pairs.top_share * pairs.n_top), pairs.n_top)
        text = (
            f"Of all pairs {whole} share a class (blue; orange: different classes); of the most similar 5%, right of "
            f"the line, {top}."
        )
        text += " So the most similar negatives are the most likely false ones: clipping leaves them out." * pairs.tells
    _page(two, "clipping", "Tune the clipping", "content_cut", story.histogram(pairs), text)
    losses = overview_cached.losses(run.fingerprint, run)
    seconds = cached.metrics(run).get("seconds", {}).get("training")
    text = "The loss during training" + ("." if seconds is None else f" ({quantities.duration(seconds)}).")
    _page(three, "train", "Train a run", "model_training", story.sparkline(losses), text)


def _page(column, page: str, label: str, icon: str, drawing: str, text: str, **query: str) -> None:
    with column.container(border=True, height="stretch", vertical_alignment="distribute"):
        st.html(story.STYLE + drawing)
        st.caption(text)
        st.page_link(f"pages/{page}.py", label=f"**{label}**", icon=f":material/{icon}:", query_params=query)


@st.fragment
@shows_input_errors
def machine() -> None:
    """Checks of this machine, and a button that measures its speed."""
    with shell.aside("ready"), st.expander("Is this machine ready for a lesson?", icon=":material/fact_check:"):
        for check in readiness.checks(runs.home()):
            remedy = f" – {plain(check.remedy)}" if check.ok is False else ""
            st.markdown(f"{MARKS[check.ok]} **{plain(check.name)}**: {plain(check.found)}{remedy}")
        st.caption(access.ABOUT)
        if st.button("Measure its speed", icon=":material/speed:", key="speed"):
            backbone = HYBRID if HYBRID in available() else CNN
            speed = overview_cached.speed(backbone, 96)
            st.markdown(f"✅ **{speed:,.0f} images per second** through {backbone} at 96 pixels.")


def guarantees() -> None:
    """What visitors can rely on in links, files and numbers."""
    with shell.aside("promises"), st.expander("What you can rely on", icon=":material/verified_user:"):
        st.markdown(RELIABILITY.read_text(encoding="utf-8").partition("\n\n")[2])
