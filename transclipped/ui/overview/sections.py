"""Sections of the Overview page: the idea, an image's path to its code, results, other pages, machine checks."""

from __future__ import annotations

import random

import streamlit as st

from transclipped.analysis import benchmarks, field, readiness
from transclipped.models.zoo import BUNDLED, CNN, HYBRID, available
from transclipped.ui import absent, access, cached, glossary, headline, presenting, quantities, runs, shell
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.overview import cached as overview_cached
from transclipped.ui.overview import numbers, story, strip
from transclipped.ui.text import plain
from transclipped.utils.files import ASSETS

STRIDE = {CNN: 32}  # pixels per side of one position of the last feature map; 16 for transformers
HITS = 5
RELIABILITY = ASSETS / "reliability.md"
MARKS = {True: ":green[:material/check_circle:]", False: ":orange[:material/warning:]", None: ":material/info:"}
CLIPPED_BACKBONE = (
    "Both runs use a backbone that was itself trained with clipping, which leaves a head little to gain. The pair of "
    "numbers at the top starts from a backbone that was not."
)
HELP = {
    "map": "Mean over queries of the average precision among the first K hits; 1 is perfect. Below it: the same "
    "training without clipping, or with it, each at its best temperature, if there is such a run.",
    "code": "Stored per image.",
    "all": "The codes of the whole database: what a search scans.",
    "clipping": "The rule that leaves out likely false negatives, and how much it clips.",
}


def query_number(run) -> int:
    """The stored query that `?picture=` names; a typical one otherwise."""
    n = len(cached.arrays(run).queries)
    if st.session_state.pop("another", False):
        st.query_params["picture"] = str(random.randrange(n))
    first = overview_cached.typical(run.fingerprint, run)
    value = st.query_params.get("picture", str(first))
    if value.isdecimal() and int(value) < n:
        return int(value)
    absent.missing("picture", value, instead=str(first))
    return first


def idea(run, query: int, image) -> None:
    """The strip, and what clipping gains."""
    left, right = st.columns([5, 3], gap="medium")
    with left:
        _strip(run, query, image)
    with right:
        _numbers()
    headline.draw(headline.lab())


def _strip(run, query: int, image) -> None:
    negatives, (anchor, *tiles) = overview_cached.negatives(run.fingerprint, query, run)
    turn = st.session_state.get("turn", 0) + bool(st.session_state.get("again"))
    st.session_state["turn"] = turn
    view = strip.Tile(strip.mirrored(image), "")
    st.html(strip.strip(anchor, view, tiles, negatives, scale=presenting.scale(), turn=turn))
    glossary.paragraph(strip.explanation(negatives))
    with st.container(horizontal=True):
        st.button("Play again", icon=":material/replay:", key="again")
        st.button("Another image", icon=":material/casino:", key="another")


def _numbers() -> None:
    if (pair := headline.pair()) is not None:
        st.html(numbers.pair(pair))
    if (curve := headline.inverted_u()) is not None:
        st.html(numbers.curve(curve))
        st.caption(f"mAP@{curve.k:,} of small heads: some clipping helps, too much destroys.")
        if (shell.ROOT / "pages" / "clipping.py").is_file():
            label = "Train this curve live"
            st.page_link("pages/clipping.py", label=label, icon=":material/show_chart:", query_params={"look": "sweep"})


def path_to_code(run, query: int, image) -> None:
    """Six drawings of a stored query, and a link to Anatomy."""
    st.header("From an image to its code")
    backbone = run.config.backbone.name
    network = {"image_size": run.record.get("image_size") or 96, "stride": STRIDE.get(backbone, 16)}
    path = overview_cached.story_of(run.fingerprint, query, run)
    st.html(story.stations(image, path, **network, scale=presenting.scale(), kind=_kind(backbone)))
    if (shell.ROOT / "pages" / "anatomy.py").is_file():
        label, icon = "Follow this image through the network, step by step", ":material/account_tree:"
        st.page_link("pages/anatomy.py", label=label, icon=icon, query_params={"query": str(query)})


def _kind(backbone: str) -> str:
    if backbone == CNN:
        return story.CNN
    bundled = BUNDLED.get(backbone)
    return story.HYBRID if bundled is not None and bundled.kind == "hybrid" else story.TRANSFORMER


def results(run) -> None:
    """mAP and its gain by clipping, bytes per image, bytes of all codes, the rule."""
    st.header("Results of this run")
    metrics = cached.metrics(run)
    mode = metrics["modes"].get("asymmetric", {})
    row, note = st.container(horizontal=True, gap="medium", key="results"), ""
    if mode.get("map") is not None:
        gain, note = _gain(run, mode["map"])
        few = f", {metrics['n_queries']:,} queries" if metrics["n_queries"] < quantities.FEW else ""
        name, value = f"mAP@{plain(metrics['k'])}{few}", f"{mode['map']:.3f}"
        row.metric(name, value, gain, help=HELP["map"], width="content")
    row.metric("Code", f"{plain(metrics['bytes_per_item'])} bytes", help=HELP["code"], width="content")
    size = quantities.size(metrics["n_database"] * metrics["bytes_per_item"])
    row.metric(f"All {metrics['n_database']:,} codes", size, help=HELP["all"], width="content")
    row.metric("Clipping", plain(benchmarks.learned(run.config)), help=HELP["clipping"], width="content")
    if note:
        st.caption(note)


def _gain(run, value: float) -> tuple[str | None, str]:
    """The gain by clipping as the delta of a mAP, and a note about it; None and "" where nothing compares."""
    every, backbone = list(runs.all_runs().values()), run.config.backbone
    if (rival := benchmarks.without_clipping(run, every)) is not None and (other := _map(rival)) is not None:
        bundled = (backbone.name, backbone.weights, backbone.train) == (HYBRID, None, "frozen")
        return f"{value - other:+.3f} by clipping", CLIPPED_BACKBONE * bundled
    if (rival := benchmarks.with_clipping(run, every)) is not None and (other := _map(rival)) is not None:
        return None, f"With clipping, in run {plain(rival.name)}: {other:.3f}."
    return None, ""


def _map(run) -> float | None:
    return cached.metrics(run)["modes"].get("asymmetric", {}).get("map")


def next_pages(run, query: int, image) -> None:
    """Links to Retrieval, Clipping and Train, each with a small drawing of the run's numbers."""
    st.header("Next")
    one, two, three = st.columns(3)
    hits = overview_cached.hits(run.fingerprint, query, HITS, run)
    relevant = sum(relevant is True for _, relevant in hits)
    text = f"{relevant} of its first {len(hits)} hits share its class." if hits[0][1] is not None else "Its first hits."
    drawing, text = story.hits(image, hits, scale=presenting.scale()), f"A search with the image above. {text}"
    _page(one, "retrieval", "Search with it", "image_search", drawing, text, query=str(query))
    pairs = overview_cached.pairs(run.fingerprint, run)
    text = _pairs_text(pairs)
    _page(two, "clipping", "Tune the clipping", "content_cut", story.histogram(pairs), text)
    losses = overview_cached.losses(run.fingerprint, run)
    seconds = cached.metrics(run).get("seconds", {}).get("training")
    text = "The loss during training" + ("." if seconds is None else f" ({quantities.duration(seconds)}).")
    _page(three, "train", "Train a run", "model_training", story.sparkline(losses), text)
    others = len(field.SYSTEMS) - 1
    label = f"The field: {others} other published systems, and the gains measured here"
    options = {"icon": ":material/public:", "query_params": {"section": "field"}}
    st.page_link("pages/benchmarks.py", label=label, **options)


def _pairs_text(pairs) -> str:
    """What the histogram of pairs shows; a claim only where the numbers support it."""
    if pairs.share is None or pairs.top_share is None:
        return "Similarity of image pairs; the most similar 5% lie right of the line."
    whole = quantities.share(round(pairs.share * pairs.n_pairs), pairs.n_pairs)
    top = quantities.share(round(pairs.top_share * pairs.n_top), pairs.n_top)
    text = (
        f"Of all pairs {whole} share a class (blue; orange: different classes; root scale); of the most similar 5%, "
        f"right of the line, {top}"
    )
    if not pairs.tells:
        return f"{text}."
    text += f", {pairs.top_share / pairs.share:.0f} times as often" if pairs.share else ""
    if pairs.top_share > 0.5:
        return f"{text}. So the most similar negatives are mostly false: clipping leaves them out."
    return f"{text}. Still, most of them are true negatives: clipping these costs something, too."


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
            st.markdown(f"{MARKS[check.ok]} **{plain(check.name)}**: {plain(check.value)}{remedy}")
        st.caption(access.ABOUT)
        if st.button("Measure its speed", icon=":material/speed:", key="speed"):
            backbone = HYBRID if HYBRID in available() else CNN
            speed = overview_cached.speed(backbone, 96)
            st.markdown(f"{MARKS[True]} **{speed:,.0f} images per second** through {backbone} at 96 pixels.")


def guarantees() -> None:
    """What visitors can rely on in links, files and numbers."""
    with shell.aside("promises"), st.expander("What you can rely on", icon=":material/verified_user:"):
        st.markdown(RELIABILITY.read_text(encoding="utf-8").partition("\n\n")[2])
