"""Sections of Codebooks on whole codebooks: usage, similar codewords, dependence, and the quantization error."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from transclipped.analysis import codebooks
from transclipped.runs.run import RunDir
from transclipped.ui import absent, cached, charts, runs
from transclipped.ui.codebooks import cached as codebook_cached
from transclipped.ui.codebooks import charts as figures
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

ALONE = "no other run"
HELP = {
    "beside": "For example one without the diversity regulariser, or with another clipping rule.",
    "codebook": "Each codebook codes its own part of the embedding as one byte.",
    "perplexity": "2^entropy, the effective number of codewords: at best K, 1 after a collapse. Mean over codebooks.",
    "dead": "Codewords of all codebooks that no database image uses.",
    "crowded": f"Codewords with more than {codebooks.CROWDED} times the even share of images.",
    "epochs": f"Codes {codebooks.SAMPLE:,} images with the head of each epoch; takes some seconds the first time.",
    "epoch": "The codebooks after each epoch; the last choice is the saved model.",
    "error": "Mean over stored queries of 1 − cosine between a query and its decoded code; 0 is lossless.",
}


def compared(run: RunDir) -> list[RunDir]:
    """The selected run and, optionally, a second one."""
    others = {name: other for name, other in runs.all_runs().items() if name != run.name}
    names = [name for name, other in others.items() if (other.path / "retrieval.npz").exists() and not other.problem()]
    absent.settle("beside", [ALONE, *names], ALONE)
    options = {"key": "beside", "bind": "query-params", "help": HELP["beside"]}
    name = st.selectbox("Compare with", [ALONE, *names], **options)
    return [run] if name == ALONE else [run, others[name]]


def side_by_side(pair: list[RunDir]) -> Iterator[RunDir]:
    """A column for each run, with its name if there are two."""
    for column, run in zip(st.columns(len(pair)), pair, strict=True):
        with column:
            if len(pair) > 1:
                st.markdown(f"**Run {plain(run.name)}**")
            yield run


def codebook(pair: list[RunDir]) -> int:
    """The selected codebook, from 0."""
    most = max(cached.arrays(run).codebooks.shape[0] for run in pair)
    if not 1 <= st.session_state.get("codebook", 1) <= most:  # a link to a run with more codebooks
        st.session_state["codebook"] = 1
    options = {"key": "codebook", "bind": "query-params", "help": HELP["codebook"]}
    return int(st.number_input("Codebook", 1, most, **options)) - 1


def with_codebook(pair: list[RunDir], m: int) -> Iterator[tuple[int, RunDir]]:
    """Index and run of each column whose run has codebook `m`; the other columns say that it is missing."""
    for i, run in enumerate(side_by_side(pair)):
        if m < cached.arrays(run).codebooks.shape[0]:
            yield i, run
        else:
            st.info(f"{plain(run.name)} has no codebook {m + 1}.")


@shows_input_errors
def usage(pair: list[RunDir]) -> None:
    """Images per codeword, most used first, and the signs of a collapse."""
    st.subheader("Are the codewords used evenly?")
    st.caption(
        "Database images per codeword. A flat line means even use; a line that falls to 0 early means wasted bits."
    )
    uses = [codebook_cached.usage(run.fingerprint, run) for run in pair]
    top = max(use.counts.max(initial=1) for use in uses)
    for run, use in zip(side_by_side(pair), uses, strict=True):
        m, k = use.counts.shape
        one, two, three = st.columns(3)
        one.metric(f"Perplexity, of {k}", f"{use.perplexity.mean():.1f}", help=HELP["perplexity"])
        two.metric(f"Dead, of {m * k:,}", f"{use.dead.sum():,}", help=HELP["dead"])
        three.metric("Crowded", f"{use.crowded.sum():,}", help=HELP["crowded"])
        figure = figures.usage(use.counts, use.even, top=top, key=f"usage {run.name}")
        charts.show(figure, key=f"usage {run.name}", name=f"{run.name}-usage")


@st.fragment
@shows_input_errors
def training(pair: list[RunDir]) -> None:
    """Perplexity during training, and optionally that of each codebook by epoch."""
    st.subheader("Perplexity during training")
    lines = {}
    for run in pair:
        points = [(e["epoch"], e["perplexity"]) for e in run.events("step") if "perplexity" in e and "epoch" in e]
        if points:
            lines[run.name] = tuple(zip(*points, strict=True))
    if lines:
        st.caption(
            "Mean over codebooks within a batch. It cannot exceed the number of views in the batch, so it is lower "
            "than over the whole database."
        )
        figure = figures.perplexity(lines, y="perplexity of a batch", key="perplexity")
        charts.show(figure, key="perplexity", name="perplexity")
    else:
        st.info("This run has no training record.")
    if not st.toggle("By epoch", key="epochs", bind="query-params", help=HELP["epochs"]):
        return
    histories = [codebook_cached.by_epoch(run.fingerprint, run) for run in pair]
    top = max(float(history.perplexity.max()) for history in histories)
    for run, history in zip(side_by_side(pair), histories, strict=True):
        st.caption(f"Perplexity of each codebook over {history.n:,} database images, by the head of each epoch.")
        epochs, values = history.epoch.tolist(), history.perplexity.T.tolist()
        lines = {f"codebook {m}": (epochs, line) for m, line in enumerate(values, 1)}
        figure = figures.perplexity(lines, y="perplexity", key=f"epochs {run.name}", top=top)
        charts.show(figure, key=f"epochs {run.name}", name=f"{run.name}-perplexity")


@st.fragment
@shows_input_errors
def similarity(pair: list[RunDir]) -> None:
    """Cosines between the codewords of one codebook, now or after any epoch."""
    st.subheader("Are codewords redundant?")
    m = codebook(pair)
    st.caption(
        f"Cosines between the codewords of codebook {m + 1}, similar ones side by side. Red off the diagonal: nearly "
        "identical codewords."
    )
    for _, run in with_codebook(pair, m):
        epochs, epoch = [*run.epochs(), None], None
        if len(epochs) > 1:
            options = {"format_func": lambda epoch: "saved" if epoch is None else str(epoch), "help": HELP["epoch"]}
            epoch = st.select_slider("Epoch", epochs, None, key=f"epoch {run.name}", **options)
        cosines, order = codebook_cached.similarity(run.fingerprint, m, epoch, run)
        figure = figures.similarity(cosines, order, key=f"cosines {run.name}")
        charts.show(figure, key=f"cosines {run.name}", name=f"{run.name}-codebook-{m + 1}-cosines")


@shows_input_errors
def dependence(pair: list[RunDir]) -> None:
    """Mutual information of pairs of codebooks."""
    st.subheader("Are codebooks redundant?")
    st.caption(
        "Mutual information of two codebooks in bits, minus that of shuffled codes with the same usage. 0: independent."
    )
    dependences = [codebook_cached.dependence(run.fingerprint, run) for run in pair]
    top = max(each.largest("excess") for each in dependences)
    for run, each in zip(side_by_side(pair), dependences, strict=True):
        if len(each.plain) < 2:
            st.info(f"{plain(run.name)} has a single codebook, so there are no pairs.")
            continue
        figure = figures.dependence(each.excess, top=top, key=f"dependence {run.name}")
        charts.show(figure, key=f"dependence {run.name}", name=f"{run.name}-dependence")
        st.caption(
            f"The largest uncorrected value is {each.largest('plain'):.2f} bits; shuffled codes, which are "
            f"independent, reach {each.largest('shuffled'):.2f} bits by chance."
        )


@shows_input_errors
def cost(pair: list[RunDir]) -> None:
    """Histogram of the quantization error of each run."""
    st.subheader("What does coding cost?")
    st.caption("Quantization error of the stored queries: 1 − cosine between a query and its decoded code.")
    errors = [codebook_cached.error(run.fingerprint, run) for run in pair]
    top = max(float(error.whole.max(initial=0)) for error in errors)
    for run, error in zip(side_by_side(pair), errors, strict=True):
        if not len(error.whole):
            st.info(f"{plain(run.name)} stores no queries.")
            continue
        st.metric("Quantization error", f"{error.whole.mean():.4f}", help=HELP["error"])
        figure = figures.errors(error.whole, top=top, key=f"error {run.name}")
        charts.show(figure, key=f"error {run.name}", name=f"{run.name}-error")
        parts = ", ".join(f"{value:.3f}" for value in error.by_codebook.mean(0))
        st.caption(f"Mean by codebook: {parts}.")
