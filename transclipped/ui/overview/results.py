"""How good the chosen run is, in four figures."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import benchmarks
from transclipped.models.zoo import HYBRID
from transclipped.ui import cached, quantities, runs
from transclipped.ui.text import plain

HELP = {
    "map": "Mean over queries of the average precision among the first K hits; 1 is perfect. Below it: against the "
    "same training without clipping, each at its own temperature, where there is such a run.",
    "clipped_backbone": " Both stand on one backbone that was itself trained with clipping, which leaves little to "
    "gain. README's study starts from one that never saw clipping: there the gain is 0.03 to 0.1.",
    "code": "What is stored of each image.",
    "all": "The codes of the whole database: what a search has to look at.",
    "clipping": "The rule that leaves out likely false negatives, and how much of it.",
}


def draw(run) -> None:
    """mAP and what clipping gains, bytes an image, bytes of all codes, the rule."""
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
        few = f", {metrics['n_queries']:,} queries" if metrics["n_queries"] < quantities.FEW else ""
        row.metric(f"mAP@{plain(metrics['k'])}{few}", f"{mode['map']:.3f}", gain, help=about, width="content")
    row.metric("Code", f"{plain(metrics['bytes_per_item'])} bytes", help=HELP["code"], width="content")
    size = quantities.size(metrics["n_database"] * metrics["bytes_per_item"])
    row.metric(f"All {metrics['n_database']:,} codes", size, help=HELP["all"], width="content")
    row.metric("Clipping", plain(benchmarks.clipping_of(run.config.clipping)), help=HELP["clipping"], width="content")
