"""Overview: what this is, in one real picture; how good the chosen run is; and where to go."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import random

import streamlit as st

from transclipped.analysis import benchmarks, readiness
from transclipped.models.zoo import CNN, HYBRID, available
from transclipped.ui import absent, access, cached, figures, runs, shell
from transclipped.ui.guard import guarded
from transclipped.ui.overview import cached as found
from transclipped.ui.overview import story
from transclipped.ui.text import plain
from transclipped.utils.files import ASSETS

HITS = 5
STRIDE = {CNN: 32}  # pixels a side of what becomes one place of the last feature map; 16 for transformers
RELIABILITY = ASSETS / "reliability.md"
MARKS = {True: "✅", False: "⚠️", None: "ℹ️"}
HELP = {
    "map": "Mean over queries of the average precision among the first K hits; 1 is perfect. Below it: against the "
    "same training without clipping, each at its own temperature, where there is such a run.",
    "clipped_backbone": " Both stand on one backbone that was itself trained with clipping, which leaves little to "
    "gain. README's study starts from one that never saw clipping: there the gain is 0.03 to 0.1.",
    "code": "What is stored of each picture.",
    "all": "The codes of the whole database: what a search has to look at.",
    "clipping": "The rule that leaves out likely false negatives, and how much of it.",
}


def number_of_query(run) -> int:
    """The stored query that the address names; the first otherwise."""
    n = len(cached.arrays(run).queries)
    if st.session_state.pop("another", False):
        st.query_params["picture"] = str(random.randrange(n))
    asked = st.query_params.get("picture", "0")
    if asked.isdecimal() and int(asked) < n:
        return int(asked)
    absent.missing("picture", asked, instead="0")
    return 0


def from_picture_to_code(run, query: int, picture) -> None:
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    left.caption("From a picture to its code, with the numbers that this run gives it:")
    right.button("Another picture", icon=":material/casino:", key="another", width="stretch")
    config, record = run.config, run.record
    drawing = story.stations(
        picture, found.told(run.fingerprint, query, run), image_size=record.get("image_size") or 96,
        stride=STRIDE.get(config.backbone.name, 16), scale=shell.scale(), cnn=config.backbone.name == CNN,
    )  # fmt: skip
    st.html(drawing)
    if (shell.ROOT / "pages" / "anatomy.py").is_file():
        st.page_link(
            "pages/anatomy.py", label="Follow this picture through the network, step by step",
            icon=":material/account_tree:", query_params={"query": str(query)},
        )  # fmt: skip


def key_figures(run) -> None:
    st.subheader("How good is that?")
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
        few = f", {metrics['n_queries']:,} queries" if metrics["n_queries"] < figures.FEW else ""
        row.metric(f"mAP@{plain(metrics['k'])}{few}", f"{mode['map']:.3f}", gain, help=about, width="content")
    row.metric("Code", f"{plain(metrics['bytes_per_item'])} bytes", help=HELP["code"], width="content")
    size = figures.size(metrics["n_database"] * metrics["bytes_per_item"])
    row.metric(f"All {metrics['n_database']:,} codes", size, help=HELP["all"], width="content")
    row.metric("Clipping", plain(benchmarks.clipping_of(run.config.clipping)), help=HELP["clipping"], width="content")


def door(column, page: str, label: str, icon: str, drawing: str, text: str, **query: str) -> None:
    with column.container(border=True, height="stretch", vertical_alignment="distribute"):
        st.html(story.STYLE + drawing)
        st.caption(text)
        st.page_link(f"pages/{page}.py", label=f"**{label}**", icon=f":material/{icon}:", query_params=query)


def doors(run, query: int, picture) -> None:
    st.subheader("Where to go")
    one, two, three = st.columns(3)
    hits = found.found(run.fingerprint, query, HITS, run)
    right = sum(relevant is True for _, relevant in hits)
    known = f"{right} of its first {len(hits)} hits are of its class." if hits[0][1] is not None else "Its first hits."
    door(
        one, "retrieval", "See it retrieve", "image_search", story.hits(picture, hits, scale=shell.scale()),
        f"The picture above asks. {known}", query=str(query),
    )  # fmt: skip
    pairs = found.pairs(run.fingerprint, run)
    text = "How similar pairs of pictures are; right of the line lie the most similar 5%."
    if pairs.share is not None and pairs.top_share is not None:
        whole = figures.share(round(pairs.share * pairs.n_pairs), pairs.n_pairs)
        top = figures.share(round(pairs.top_share * pairs.n_top), pairs.n_top)
        text = (
            f"Of all pairs {whole} are of one class (blue; orange: of different ones); of the most similar "
            f"5%, right of the line, {top}."
        )
        text += " So the most similar negatives are the most likely false: clipping leaves them out." * pairs.tells
    door(two, "clipping", "Tune the clipping", "content_cut", story.histogram(pairs), text)
    losses = found.losses(run.fingerprint, run)
    seconds = cached.metrics(run).get("seconds", {}).get("training")
    took = "" if seconds is None else f" in {figures.duration(seconds)} of training"
    text = f"How this run's loss fell{took}."
    door(three, "train", "Train your own", "model_training", story.sparkline(losses), text)


@guarded
def page(run) -> None:
    if not len(cached.arrays(run).queries):
        st.info(f"{plain(run.name)} stores no queries, so there is no image to follow.")
        key_figures(run)
        return
    query = number_of_query(run)
    identity = cached.arrays(run).query_ids[query].item()
    images = cached.pictures(cached.run_data(run))
    picture = images.picture(images.row_of(identity))
    from_picture_to_code(run, query, picture)
    key_figures(run)
    doors(run, query, picture)


@st.fragment
@guarded
def ready() -> None:
    with shell.aside("ready"), st.expander("Is this machine ready for a lesson?", icon=":material/fact_check:"):
        for check in readiness.checks(runs.home()):
            st.markdown(
                f"{MARKS[check.ok]} **{plain(check.name)}**: {plain(check.found)}"
                + (f" – {plain(check.remedy)}" if check.ok is False else "")
            )
        st.caption(access.ABOUT)
        if st.button("Measure its speed", icon=":material/speed:", key="speed"):
            backbone = HYBRID if HYBRID in available() else CNN
            speed = found.speed(backbone, 96)
            st.markdown(f"✅ **{speed:,.0f} pictures per second** through {backbone} at 96 pixels.")


def promises() -> None:
    with shell.aside("promises"), st.expander("What you can rely on", icon=":material/verified_user:"):
        st.markdown(RELIABILITY.read_text(encoding="utf-8").partition("\n\n")[2])


st.title("Unsupervised image retrieval, with false negatives clipped")
st.markdown(
    "A network learns to find similar pictures **without a single label**: two views of one picture attract, "
    "different pictures repel. But some of those *negatives* show the same thing, and pushing them apart hurts. "
    "**Clipping** leaves the most similar negatives out, since they are probably false."
)
chosen = runs.finished()
if chosen is not None:
    page(chosen)
ready()
promises()
