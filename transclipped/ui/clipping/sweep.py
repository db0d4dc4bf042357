"""The live sweep: one press trains a head for each of several settings, and the curve grows as results arrive."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from transclipped.clipping import described, swept
from transclipped.errors import InputError
from transclipped.experiments.lab import curves
from transclipped.experiments.lab.sweep import HEADS_AT_FIRST, Sweep, results, seconds_left
from transclipped.ui import access, acts, charts
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import sweep_charts, sweep_jobs, sweep_keep
from transclipped.ui.guard import guarded
from transclipped.ui.quantities import time_left
from transclipped.ui.text import plain

TEMPERATURES = (0.2, 0.3, 0.5)
HELP = {
    "rule": "What changes from head to head.",
    "tau": "Precomputed curves show all three: the best amount moves with τ.",
    "seed": "Of weights and batches: the same seed gives the same curve, another one tells how much is chance.",
    "amounts": "One head is trained for each.",
}
NOTE = "sweep note"


@guarded
def section() -> None:
    """Settings, the button, the figure and the numbers."""
    if lab_batch.lab() is None:
        raise InputError("The lab set is missing; `python -m transclipped lab build` makes it.")
    st.subheader("Live sweep: how much clipping is good?")
    st.caption(
        "One press trains a linear head and a quantizer for each setting on the bundled lab set (5,000 images, some "
        "seconds each) and measures retrieval: mAP@500 of 1,000 queries. A little clipping helps, too much destroys "
        "the embedding. mAP needs labels; training never sees them."
    )
    sweep = chosen()
    if sweep is not None:
        watch(sweep)


def chosen() -> Sweep | None:
    """The sweep that the controls describe."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        rule = st.segmented_control(
            "Vary", list(swept()), default="threshold", key="vary", bind="query-params", required=True,
            format_func=plain, help=HELP["rule"],
        )  # fmt: skip
        tau = st.segmented_control(
            "Temperature τ", TEMPERATURES, default=0.3, key="sweep_tau", bind="query-params", required=True,
            help=HELP["tau"],
        )  # fmt: skip
        seed = st.number_input(
            "Seed", 0, 999, 0, key="seed", bind="query-params", width=130, help=HELP["seed"]
        )  # fmt: skip
    amount = swept()[rule]
    symbol = plain(amount.symbol)
    with st.expander(f"Which amounts {symbol}, and which treatment"):
        amounts = st.multiselect(
            symbol, amount.tried, amount.tried[:HEADS_AT_FIRST], key=f"amounts {rule}", help=HELP["amounts"]
        )
        treatment = st.segmented_control(
            "Clipped pairs", ["remove", "clamp"], default="remove", key="sweep_treatment", bind="query-params",
            required=True,
        )  # fmt: skip
    ordered = tuple(a for a in amount.tried if a in amounts)
    if not ordered:
        raise InputError(f"Choose at least one {amount.symbol} to train with.")
    return Sweep(rule=rule, amounts=ordered, temperature=float(tau), treatment=treatment, seed=int(seed))


def watch(sweep: Sweep) -> None:
    """What there is of a sweep; redrawn every second while it is trained."""
    state = sweep_jobs.state(sweep)
    if state["state"] in ("running", "waiting"):
        _follow(sweep)
    else:
        _shown(sweep, state)


@st.fragment(run_every="1s")
def _follow(sweep: Sweep) -> None:
    sweep_jobs.advance()
    state = sweep_jobs.state(sweep)
    _shown(sweep, state)
    if state["state"] not in ("running", "waiting"):
        st.rerun()


def _shown(sweep: Sweep, state: dict) -> None:
    found = results(sweep_jobs.folder(sweep))
    _button(sweep, state, found)
    _figure(sweep, found)
    if found:
        _verdict(sweep, found)
        sweep_keep.section(sweep, found)
        _table(found)


def _button(sweep: Sweep, state: dict, found: list[dict]) -> None:
    heads = len(sweep.settings())
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if state["state"] in ("running", "waiting"):
            st.button(
                "Cancel",
                key="sweep button",
                icon=":material/stop:",
                on_click=acts.press,
                args=(NOTE, sweep_jobs.cancel, sweep),
                width=190,
                **access.control(access.TRAIN),
            )
            share, text = _progress(state, heads, found)
            st.progress(share, text, width="stretch")
            return
        if len(found) >= heads:
            label, again = "Train them again", True
        else:
            label, again = ("Train the rest" if found else f"Train {heads} heads"), False
        st.button(
            label, key="sweep button", type="secondary" if again else "primary", icon=":material/play_arrow:",
            on_click=acts.press, args=(NOTE, partial(sweep_jobs.ask, again=again), sweep), width=190,
            **access.control(access.MANAGE if again else access.TRAIN),
        )  # fmt: skip
        acts.show(NOTE)
        if state["state"] == "failed":
            st.error(plain(state.get("error") or "The training failed."))
        elif len(found) >= heads:
            seconds = sum(result["seconds"] for result in found)
            st.caption(f"{heads} heads were trained in {seconds:.0f} s, {seconds / heads:.1f} s each.", width="stretch")
        elif found:
            st.caption(f"{len(found)} of {heads} heads are trained.", width="stretch")
        else:
            st.caption(
                "Pale: such heads trained beforehand with seed 0, at three temperatures. Dotted: no clipping. Stars: "
                "where the adaptive rule lands.",
                width="stretch",
            )


def _progress(state: dict, heads: int, trained: list[dict]) -> tuple[float, str]:
    if state["state"] == "waiting":
        return 0.0, f"Waiting for its turn: {state['ahead']} ahead"
    if "rule" not in state:
        return 0.0, "Starting …"
    part = state.get("step", 0) / max(1, state.get("steps", 1))
    setting = plain(described(state["rule"], state.get("amount")))
    text = f"Head {min(state['done'] + 1, heads)} of {heads}: {setting}, step {state.get('step', 0)}"
    return min(1.0, (state["done"] + part) / heads), text + time_left(seconds_left(state, trained))


def _figure(sweep: Sweep, found: list[dict]) -> None:
    try:
        behind = curves.load()
    except InputError:
        behind = []
    others = [s for s in sweep_jobs.earlier() if s.rule == sweep.rule and s.key != sweep.key]
    known = {name(s): s for s in others}
    beside = st.session_state.get("beside sweeps") or []
    live = [(name(sweep), found)]
    live += [(label, results(sweep_jobs.folder(known[label]))) for label in beside if label in known]
    figure = sweep_charts.figure(sweep.rule, live, behind)
    charts.show(figure, key=f"sweep {sweep.rule}", name=f"clipping-sweep-{sweep.rule}")
    if known:
        st.multiselect("Compare with earlier sweeps", list(known), key="beside sweeps")


def name(sweep: Sweep) -> str:
    """A sweep in a few words."""
    treatment = ", clamp" if sweep.treatment == "clamp" else ""
    return f"τ = {sweep.temperature:g}, seed {sweep.seed}, {len(sweep.amounts)} amounts{treatment}"


def _verdict(sweep: Sweep, found: list[dict]) -> None:
    """What the curve says so far, in a sentence."""
    base = next((r["map"] for r in found if r["rule"] == "none"), None)
    tried = [r for r in found if r["rule"] == sweep.rule]
    if base is None or not tried:
        return
    best, last = max(tried, key=lambda r: r["map"]), tried[-1]
    symbol = plain(swept()[sweep.rule].symbol)
    said = f"Without clipping mAP is {base:.3f}; "
    said += f"the best so far is **{symbol} = {best['amount']:g} with {best['map']:.3f}**."
    if last is not best and last["map"] < best["map"] - 0.02:
        share = f"{last['clip_fraction']:.0%} of all pairs are clipped"
        said += f" With {symbol} = {last['amount']:g}, {share}: {last['map']:.3f}."
    mark = next((r for r in found if r["rule"] == "adaptive" and sweep.rule != "adaptive"), None)
    if mark:
        lands = f", cutting at δ = {mark['delta']:.2f} on average" if mark["delta"] is not None else ""
        said += f" The adaptive rule, set without a look, gets {mark['map']:.3f}{lands}."
    st.markdown(said)


def _table(found: list[dict]) -> None:
    lines = [
        {
            "setting": sweep_keep.setting(r),
            "mAP@500": r["map"],
            "pairs clipped": r["clip_fraction"],
            "false among clipped": r["clip_precision"],
            "seconds": r["seconds"],
            "the same from images": r["command"],
        }
        for r in found
    ]
    with st.expander("Numbers, and the command that trains each from images"):
        shown = {
            name: st.column_config.NumberColumn(format="percent") for name in ("pairs clipped", "false among clipped")
        }
        shown["mAP@500"] = st.column_config.NumberColumn(format="%.4f")
        st.dataframe(pd.DataFrame(lines), hide_index=True, column_config=shown, width="stretch")
