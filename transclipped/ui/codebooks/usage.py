"""How evenly the codewords are used, and how that came about in training."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import codebooks
from transclipped.ui import charts
from transclipped.ui.codebooks import cached as codebook_cached
from transclipped.ui.codebooks import charts as drawn
from transclipped.ui.codebooks.columns import side_by_side
from transclipped.ui.guard import guarded

HELP = {
    "perplexity": "Evenly used codewords that would be as hard to guess, 2^entropy: K at best, 1 after a collapse. "
    "Mean over codebooks.",
    "dead": "Codewords that no image of the database was given, of all codebooks together.",
    "crowded": f"Codewords that hold more than {codebooks.CROWDED} times the even share of images.",
}


def evenness(shown: list) -> None:
    """Images a codeword, the most used first, and what tells a collapse."""
    st.subheader("Are the codewords used evenly?")
    st.caption(
        "How many images of the database each codeword holds. A flat line uses every codeword alike; a line that "
        "falls to 0 early wastes bits."
    )
    uses = [codebook_cached.usage(run.fingerprint, run) for run in shown]
    top = max(use.counts.max(initial=1) for use in uses)
    for run, use in zip(side_by_side(shown), uses, strict=True):
        m, k = use.counts.shape
        one, two, three = st.columns(3)
        one.metric(f"Perplexity, of {k}", f"{use.perplexity.mean():.1f}", help=HELP["perplexity"])
        two.metric(f"Dead, of {m * k:,}", f"{use.dead.sum():,}", help=HELP["dead"])
        three.metric("Crowded", f"{use.crowded.sum():,}", help=HELP["crowded"])
        figure = drawn.usage(use.counts, use.even, top=top, key=f"usage {run.name}")
        charts.show(figure, key=f"usage {run.name}", name=f"{run.name}-usage")


@st.fragment
@guarded
def training(shown: list) -> None:
    """Perplexity over training, and by epoch if wanted."""
    st.subheader("How did that come about?")
    lines = {}
    for run in shown:
        points = [(e["epoch"], e["perplexity"]) for e in run.events("step") if "perplexity" in e and "epoch" in e]
        if points:
            lines[run.name] = tuple(zip(*points, strict=True))
    if lines:
        st.caption(
            "Perplexity during training, mean over codebooks, counted within one batch: at most the number of its "
            "views, so below that of the whole database."
        )
        figure = drawn.perplexity(lines, y="perplexity of a batch", key="perplexity")
        charts.show(figure, key="perplexity", name="perplexity")
    else:
        st.info("This run kept no record of its training.")
    looked = st.toggle(
        "Look at every epoch", key="epochs", bind="query-params",
        help=f"Codes {codebooks.SAMPLE:,} images by the head of each epoch; the first time takes some seconds.",
    )  # fmt: skip
    if looked:
        _epochs(shown)


def _epochs(shown: list) -> None:
    histories = [codebook_cached.by_epoch(run.fingerprint, run) for run in shown]
    top = max(float(history.perplexity.max()) for history in histories)
    for run, history in zip(side_by_side(shown), histories, strict=True):
        st.caption(f"Perplexity of each codebook over {history.n:,} database images, by the head of each epoch.")
        lines = {
            f"codebook {m + 1}": (history.epoch.tolist(), values.tolist())
            for m, values in enumerate(history.perplexity.T)
        }
        figure = drawn.perplexity(lines, y="perplexity", key=f"epochs {run.name}", top=top)
        charts.show(figure, key=f"epochs {run.name}", name=f"{run.name}-perplexity")
