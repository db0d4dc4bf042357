"""Sections of Codebooks on whole codebooks: usage, similar codewords, overlap, and the quantization error."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from transclipped.analysis import codebooks
from transclipped.analysis.overlap import Overlap, in_words
from transclipped.runs.run import RunDir
from transclipped.ui import absent, cached, charts, glossary, presenting, runs
from transclipped.ui.codebooks import cached as codebook_cached
from transclipped.ui.codebooks import charts as figures
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

ALONE = "no other run"
BUTTONS = 8  # codebooks up to which each has a button
CHART, SQUARE, SELECT = 960, 520, 320  # px, greatest width of a chart, of a square one, and of a choice
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


def choices(run: RunDir, *, one: bool) -> tuple[list[RunDir], int]:
    """Draw the choice of a codebook, if `one` is shown, and of a second run; returns the runs, and a number from 0."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = st.container(width="content") if one else None
        with presenting.controls("Compare"):
            pair = compared(run)
        if place is None:
            return pair, 0
        with place:
            return pair, codebook(pair)


def compared(run: RunDir) -> list[RunDir]:
    """The selected run and, optionally, a second one."""
    others = {name: other for name, other in runs.all_runs().items() if name != run.name}
    names = [name for name, other in others.items() if (other.path / "retrieval.npz").exists() and not other.problem()]
    absent.settle("beside", [ALONE, *names], ALONE)
    options = {
        "key": "beside",
        "bind": "query-params",
        "help": HELP["beside"],
        "width": round(SELECT * presenting.scale()),
    }
    name = st.selectbox("Compare with", [ALONE, *names], **options)
    return [run] if name == ALONE else [run, others[name]]


def side_by_side(pair: list[RunDir], *, width: int) -> Iterator[RunDir]:
    """A column for each of two runs, with its name; a single one is at most `width` pixels wide."""
    single = [st.container(width=round(width * presenting.scale()))]
    for column, run in zip(st.columns(len(pair)) if len(pair) > 1 else single, pair, strict=True):
        with column:
            if len(pair) > 1:
                st.markdown(f"**Run {plain(run.name)}**")
            yield run


def codebook(pair: list[RunDir]) -> int:
    """The selected codebook, from 0."""
    most = max(cached.arrays(run).codebooks.shape[0] for run in pair)
    if st.session_state.get("codebook", 1) not in range(1, most + 1):  # a link to a run with more codebooks
        st.session_state.pop("codebook")
    options = {"key": "codebook", "bind": "query-params", "help": HELP["codebook"]}
    if most <= BUTTONS:
        return int(st.segmented_control("Codebook", range(1, most + 1), default=1, required=True, **options)) - 1
    return int(st.number_input("Codebook", 1, most, width=SELECT, **options)) - 1


def with_codebook(pair: list[RunDir], m: int, *, width: int) -> Iterator[tuple[int, RunDir]]:
    """Index and run of each column whose run has codebook `m`; the other columns say that it is missing."""
    for i, run in enumerate(side_by_side(pair, width=width)):
        if m < cached.arrays(run).codebooks.shape[0]:
            yield i, run
        else:
            st.info(f"{plain(run.name)} has no codebook {m + 1}.")


@shows_input_errors
def usage(pair: list[RunDir]) -> None:
    """Images per codeword, most used first, and the signs of a collapse."""
    st.header("Are the codewords used evenly?")
    glossary.caption(
        "Database images per codeword. A flat line means even use; a line that falls to 0 early means wasted bits. The "
        "[perplexity] puts it into one number."
    )
    uses = [codebook_cached.usage(run.fingerprint, run) for run in pair]
    top = max(use.counts.max(initial=1) for use in uses)
    for run, use in zip(side_by_side(pair, width=CHART), uses, strict=True):
        m, k = use.counts.shape
        one, two, three = st.columns(3)
        one.metric(f"Perplexity, of {k}", f"{use.perplexity.mean():.1f}", help=HELP["perplexity"])
        two.metric(f"Dead, of {m * k:,}", f"{use.dead.sum():,}", help=HELP["dead"])
        three.metric("Crowded", f"{use.crowded.sum():,}", help=HELP["crowded"])
        figure = figures.usage(use.counts, use.even, top=top, key=f"usage {run.name}")
        charts.show(figure, key=f"usage {run.name}", name=f"{run.name}-usage")
    k, even = uses[0].counts.shape[1], float(uses[0].perplexity.mean())
    presenting.say(f"A codebook of {k} codewords works like one of {even:.0f} that are all used equally often.")


@st.fragment
@shows_input_errors
def training(pair: list[RunDir]) -> None:
    """Perplexity during training, and optionally that of each codebook by epoch."""
    st.header("Perplexity during training")
    lines = {}
    for run in pair:
        points = [(e["epoch"], e["perplexity"]) for e in run.events("step") if "perplexity" in e and "epoch" in e]
        if points:
            lines[run.name] = tuple(zip(*points, strict=True))
    if lines:
        st.caption(
            "Mean over codebooks within a batch, at most the number of views in it; not comparable with the value over "
            "the whole database."
        )
        figure = figures.perplexity(lines, y="perplexity of a batch", key="perplexity")
        with st.container(width=round(CHART * presenting.scale())):
            charts.show(figure, key="perplexity", name="perplexity")
    else:
        st.info("This run has no training record.")
    if not st.toggle("By epoch", key="epochs", bind="query-params", help=HELP["epochs"]):
        return
    histories = [codebook_cached.by_epoch(run.fingerprint, run) for run in pair]
    top = max(float(history.perplexity.max()) for history in histories)
    for run, history in zip(side_by_side(pair, width=CHART), histories, strict=True):
        st.caption(f"Perplexity of each codebook over {history.n:,} database images, by the head of each epoch.")
        epochs, values = history.epoch.tolist(), history.perplexity.T.tolist()
        lines = {f"codebook {m}": (epochs, line) for m, line in enumerate(values, 1)}
        figure = figures.perplexity(lines, y="perplexity", key=f"epochs {run.name}", top=top)
        charts.show(figure, key=f"epochs {run.name}", name=f"{run.name}-perplexity")


@st.fragment
@shows_input_errors
def similarity(pair: list[RunDir], m: int) -> None:
    """Cosines between the codewords of one codebook, now or after any epoch."""
    st.header("Are codewords redundant?")
    st.caption(
        f"Cosines between the codewords of codebook {m + 1}, similar ones side by side. Red off the diagonal: nearly "
        "identical codewords."
    )
    for _, run in with_codebook(pair, m, width=SQUARE):
        epochs, epoch = [*run.epochs(), None], None
        if len(epochs) > 1:
            options = {"format_func": lambda epoch: "saved" if epoch is None else str(epoch), "help": HELP["epoch"]}
            epoch = st.select_slider("Epoch", epochs, None, key=f"epoch {run.name}", **options)
        cosines, order = codebook_cached.similarity(run.fingerprint, m, epoch, run)
        figure = figures.similarity(cosines, order, key=f"cosines {run.name}")
        charts.show(figure, key=f"cosines {run.name}", name=f"{run.name}-codebook-{m + 1}-cosines")
    presenting.say("Two codewords that are nearly the same waste a byte's value: red belongs on the diagonal only.")


@shows_input_errors
def overlap(pair: list[RunDir]) -> None:
    """Mutual information of pairs of codebooks, and how much of it is the class."""
    st.header("How much do codebooks overlap?")
    dependences = [codebook_cached.dependence(run.fingerprint, run) for run in pair]
    top = max(float(each.plain.diagonal().max(initial=0)) for each in dependences)
    for run, each in zip(side_by_side(pair, width=SQUARE), dependences, strict=True):
        if len(each.plain) < 2:
            st.info(f"{plain(run.name)} has a single codebook, so there are no pairs.")
            continue
        result = codebook_cached.overlap(run.fingerprint, run)
        st.markdown(verdict(result))
        figure = figures.dependence(each.plain, each.excess, top=top, key=f"dependence {run.name}")
        charts.show(figure, key=f"dependence {run.name}", name=f"{run.name}-dependence")
        st.caption(
            "Mutual information of two codebooks in bits, minus that of shuffled codes with the same usage; 0 means "
            "independent. On the diagonal: the entropy of a codebook, all that it says. The largest uncorrected value "
            f"is {each.largest('plain'):.2f} bits; shuffled codes reach {each.largest('shuffled'):.2f} bits by chance."
        )
        if run is pair[0]:
            presenting.say(f"Whoever has read one codebook knows {in_words(result.share)} of what another one says.")


def verdict(overlap: Overlap) -> str:
    """What the overlap of the codebooks means, as Markdown."""
    text = (
        f"A codebook says {overlap.entropy:.1f} bits on average. **Another one says {in_words(overlap.share)} of it "
        f"too**: {overlap.shared:.1f} bits."
    )
    if overlap.class_entropy:
        even = abs(2**overlap.class_entropy - overlap.classes) < 0.01 * overlap.classes
        source = f"log₂ {overlap.classes} = " if even else ""
        text += f" The class alone would be {source}{overlap.class_entropy:.1f} bits."
    if overlap.of_class is not None:
        text += (
            f" Among images of one class two codebooks still share {overlap.within:.1f} bits, so "
            f"{overlap.of_class:.0%} of the overlap is the class, seen twice."
        )
    return text


@shows_input_errors
def cost(pair: list[RunDir]) -> None:
    """Histogram of the quantization error of each run."""
    st.header("What does coding cost?")
    st.caption("Quantization error of the stored queries: 1 − cosine between a query and its decoded code.")
    errors = [codebook_cached.error(run.fingerprint, run) for run in pair]
    top = max(float(error.whole.max(initial=0)) for error in errors)
    for run, error in zip(side_by_side(pair, width=CHART), errors, strict=True):
        if not len(error.whole):
            st.info(f"{plain(run.name)} stores no queries.")
            continue
        st.metric("Quantization error", f"{error.whole.mean():.4f}", help=HELP["error"])
        figure = figures.errors(error.whole, top=top, key=f"error {run.name}")
        charts.show(figure, key=f"error {run.name}", name=f"{run.name}-error")
        parts = ", ".join(f"{value:.3f}" for value in error.by_codebook.mean(0))
        st.caption(f"Mean by codebook: {parts}.")
        if run is pair[0]:
            cosine = 1 - float(error.whole.mean())
            presenting.say(
                f"A few bytes keep most of the direction: query and decoded code have a cosine of {cosine:.2f}."
            )
