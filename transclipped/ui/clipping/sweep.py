"""The live sweep: train a head for each of several settings; the curve grows as results arrive."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from transclipped.clipping import described, swept
from transclipped.errors import InputError
from transclipped.experiments.lab import curves
from transclipped.experiments.lab.sweep import DEFAULT_HEADS, Sweep, seconds_left
from transclipped.experiments.lab.sweep import results as results_in
from transclipped.ui import access, acts, charts, glossary, headline, presenting
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import sweep_charts, sweep_jobs, sweep_keep, sweep_origin
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.quantities import duration, time_left
from transclipped.ui.text import plain

TEMPERATURES = (0.2, 0.3, 0.5)
HELP = {
    "rule": "The setting that differs between heads.",
    "tau": "Precomputed curves show all three: the best amount depends on τ.",
    "seed": "For weights and batches. The same seed gives the same curve; others show the variation by chance.",
    "amounts": "One head is trained for each.",
    "empty": "Hides the results from you alone, so that the curve grows before your eyes. Nothing is deleted until you "
    "train.",
}
ABOUT = (
    "Trains a [head] for each setting on the bundled [lab set], some seconds each, and measures [mAP@500](mAP@K) over "
    "1,000 queries. A little clipping helps. Too much clips true negatives as well: nothing keeps classes apart, and "
    "the embedding collapses. mAP needs labels; training never uses them."
)
NOTE, SECONDS = "sweep note", "seconds a head"  # in the session; SECONDS of the last sweep that was seen
SAY = (
    "A little clipping helps, too much destroys the embedding: the curve is an inverted U. Where its top lies depends "
    "on τ."
)
ACTIVE = ("running", "waiting")
ROW = {"horizontal": True, "vertical_alignment": "bottom", "gap": "medium"}


@shows_input_errors
def section() -> None:
    """Settings, the button, the figure and the table."""
    if lab_batch.lab() is None:
        raise InputError("The lab set is missing; `python -m transclipped lab build` makes it.")
    st.header("Live sweep: how much clipping is best?")
    if not presenting.folded():
        glossary.paragraph(ABOUT)
    above, figure, below = st.container(), st.container(), st.container()
    with below if presenting.folded() else above:  # a class sees the figure first
        sweep = selected()
    with figure:
        watch(sweep)
        base = lab_batch.unclipped(lab_batch.reached(sweep.rule, sweep.temperature))
        headline.beside(base, where="on Overview")
    presenting.say(SAY)


def selected() -> Sweep:
    """The sweep that the controls describe.

    Raises:
        InputError: no amount is selected.
    """
    options = {"bind": "query-params", "required": True}
    with presenting.controls("Settings of the sweep"), st.container(**ROW):
        rule = st.segmented_control(
            "Vary", list(swept()), default="threshold", key="vary", format_func=plain, help=HELP["rule"], **options
        )
        tau = st.segmented_control(
            "Temperature τ", TEMPERATURES, default=0.3, key="sweep_tau", help=HELP["tau"], **options
        )
        width = int(150 * presenting.scale())
        seed = st.number_input("Seed", 0, 999, 0, key="seed", bind="query-params", width=width, help=HELP["seed"])
        amount = swept()[rule]
        symbol, first = plain(amount.symbol), amount.tried[:DEFAULT_HEADS]
        with st.popover(f"Values of {symbol}", icon=":material/tune:"):
            amounts = st.multiselect(symbol, amount.tried, first, key=f"amounts {rule}", help=HELP["amounts"])
            treatments = ["remove", "clamp"]
            treatment = st.segmented_control(
                "Clipped pairs", treatments, default="remove", key="sweep_treatment", **options
            )
    ordered = tuple(a for a in amount.tried if a in amounts)
    if not ordered:
        raise InputError(f"Choose at least one {amount.symbol} to train with.")
    return Sweep(rule=rule, amounts=ordered, temperature=float(tau), treatment=treatment, seed=int(seed))


def watch(sweep: Sweep) -> None:
    """State and results of a sweep, redrawn every second while it runs."""
    draw = _follow if sweep_jobs.state(sweep)["state"] in ACTIVE else _draw
    draw(sweep)


@st.fragment(run_every="1s")
def _follow(sweep: Sweep) -> None:
    sweep_jobs.advance()
    if _draw(sweep) not in ACTIVE:
        st.rerun()


def _draw(sweep: Sweep) -> str:
    """Draw a sweep as it is now, and return its state."""
    state, results = sweep_jobs.state(sweep), results_in(sweep_jobs.folder(sweep))
    if results:
        st.session_state[SECONDS] = sum(result["seconds"] for result in results) / len(results)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if state["state"] in ACTIVE:
            _cancel(sweep, state, results)
        else:
            _start(sweep, results)
    if state["state"] not in ACTIVE:
        acts.show(NOTE)
        if state["state"] == "failed":
            st.error(plain(state.get("error") or "The training failed."))
        else:
            st.caption(_about(sweep, results))
        results = [] if sweep_origin.hidden(sweep) else results
    _figure(sweep, results)
    if results:
        _summary(sweep, results)
        sweep_keep.section(sweep, results)
        _table(results)
    return state["state"]


def _cancel(sweep: Sweep, state: dict, results: list[dict]) -> None:
    options = {"on_click": acts.press, "args": (NOTE, sweep_jobs.cancel, sweep), **access.control(access.TRAIN)}
    st.button("Cancel", key="sweep button", icon=":material/stop:", width=190, **options)
    share, text = _progress(state, len(sweep.settings()), results)
    if not sweep_origin.mine(sweep):
        text = f"Another visitor's, which you are watching. {text}"
    st.progress(share, text, width="stretch")


def _start(sweep: Sweep, results: list[dict]) -> None:
    heads, hidden = len(sweep.settings()), sweep_origin.hidden(sweep)
    again = len(results) >= heads or (hidden and bool(results))
    some = "Train again" if again else "Train the rest"
    label = some if results and not hidden else f"Train {heads} heads"
    kind = "primary" if hidden or not again else "secondary"
    options = {"type": kind, **access.control(access.MANAGE if again else access.TRAIN)}

    def start() -> None:
        sweep_origin.start(sweep, again=again)

    options |= {"on_click": acts.press, "args": (NOTE, start)}
    st.button(label, key="sweep button", icon=":material/play_arrow:", width=190, **options)
    if results:
        act, text = (sweep_origin.show, "Show earlier results") if hidden else (sweep_origin.hide, "Start empty")
        st.button(text, key="sweep empty", on_click=act, args=(sweep,), help=HELP["empty"])


def _about(sweep: Sweep, results: list[dict]) -> str:
    """What is drawn: whose results, from when, and how long a training takes."""
    heads, usual = len(sweep.settings()), st.session_state.get(SECONDS)
    takes = "" if usual is None else f" {heads} heads take about {duration(heads * usual)}."
    if not results or sweep_origin.hidden(sweep):
        return f"Pale: precomputed heads. Dotted: no clipping. Stars: the adaptive rule.{takes}"
    whose = "in this session" if sweep_origin.mine(sweep) else "earlier or by another visitor: pale until you train"
    done = f"{len(results)} of {heads} heads" if len(results) < heads else f"{heads} heads"
    seconds = duration(sum(result["seconds"] for result in results))
    return f"{done}, trained in {seconds} at {sweep_origin.trained_at(sweep)}, {whose}."


def _progress(state: dict, heads: int, results: list[dict]) -> tuple[float, str]:
    if state["state"] == "waiting":
        return 0.0, f"Queued, {state['ahead']} ahead"
    if "rule" not in state:
        return 0.0, "Starting …"
    step, share = state.get("step", 0), state.get("step", 0) / max(1, state.get("steps", 1))
    setting = plain(described(state["rule"], state.get("amount")))
    text = f"Head {min(state['done'] + 1, heads)} of {heads}: {setting}, step {step}"
    return min(1.0, (state["done"] + share) / heads), text + time_left(
        seconds_left(state, results, usual=st.session_state.get(SECONDS))
    )


def _figure(sweep: Sweep, results: list[dict]) -> None:
    try:
        precomputed = curves.load()
    except InputError:
        precomputed = []
    others = {_name(s): s for s in sweep_jobs.earlier() if s.rule == sweep.rule and s.key != sweep.key}
    names = [name for name in st.session_state.get("beside sweeps") or [] if name in others]
    live = [(_name(sweep), results), *((name, results_in(sweep_jobs.folder(others[name]))) for name in names)]
    pale = not sweep_origin.mine(sweep) and sweep_jobs.state(sweep)["state"] not in ACTIVE
    options = {"pale": pale, "height": sweep_charts.LOW if presenting.folded() else sweep_charts.HEIGHT}
    figure = sweep_charts.figure(sweep.rule, live, precomputed, temperature=sweep.temperature, **options)
    charts.show(figure, key=f"sweep {sweep.rule}", name=f"clipping-sweep-{sweep.rule}")
    if others:
        st.multiselect("Compare with earlier sweeps", list(others), key="beside sweeps")


def _name(sweep: Sweep) -> str:
    treatment = ", clamp" if sweep.treatment == "clamp" else ""
    return f"τ = {sweep.temperature:g}, seed {sweep.seed}, {len(sweep.amounts)} amounts{treatment}"


def _summary(sweep: Sweep, results: list[dict]) -> None:
    """The results so far in a few sentences."""
    base = next((r["map"] for r in results if r["rule"] == "none"), None)
    curve = [r for r in results if r["rule"] == sweep.rule]
    if base is None or not curve:
        return
    best, last = max(curve, key=lambda r: r["map"]), curve[-1]
    symbol = plain(swept()[sweep.rule].symbol)
    text = f"mAP without clipping: {base:.3f}. Best so far: **{best['map']:.3f} at {symbol} = {best['amount']:g}**."
    if last["map"] < best["map"] - 0.02:
        text += f" {symbol} = {last['amount']:g} clips {last['clip_fraction']:.0%} of pairs; mAP: {last['map']:.3f}."
    adaptive = next((r for r in results if r["rule"] == "adaptive" and sweep.rule != "adaptive"), None)
    if adaptive:
        delta = f", with a mean δ of {adaptive['delta']:.2f}" if adaptive["delta"] is not None else ""
        text += f" The adaptive rule, with its setting fixed in advance, reaches {adaptive['map']:.3f}{delta}."
    st.markdown(text)


def _table(results: list[dict]) -> None:
    rows = [
        {
            "setting": described(r["rule"], r["amount"]),
            "mAP@500": r["map"],
            "pairs clipped": r["clip_fraction"],
            "false negatives among clipped": r["clip_precision"],
            "seconds": r["seconds"],
            "command for training from images": r["command"],
        }
        for r in results
    ]
    formats = {"pairs clipped": "percent", "false negatives among clipped": "percent", "mAP@500": "%.4f"}
    columns = {name: st.column_config.NumberColumn(format=text) for name, text in formats.items()}
    with st.expander("Results, and the commands that train each from images"):
        st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns, width="stretch")
