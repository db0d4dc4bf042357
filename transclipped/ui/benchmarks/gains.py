"""The gains on Benchmarks: pairs of measured runs, without and with clipping, as figure and table."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from transclipped.analysis import gains
from transclipped.analysis.gains import Gain
from transclipped.analysis.headline import RUNS
from transclipped.runs.run import RunDir
from transclipped.ui import charts, glossary, headline, presenting, runs
from transclipped.ui.benchmarks import charts as figures
from transclipped.ui.benchmarks.view import EMPTY

DISAGREE = (
    "mAP and [recall] can disagree: mAP rewards relevant hits for coming early, recall counts them anywhere "
    "among the first K. Clipping can bring relevant hits forward and still lose a few at the end of the list."
)
OVER = {
    gains.SEEDS: "Interval over seeds: how well the gain repeats.",
    gains.CLASSES: "Interval over classes of queries, where there is one seed: how evenly classes gain.",
}
HEADINGS = {"gain": "Gain", "half": "± (95%)", "over": "Over", "rule": "Rule", "backbone": "Backbone"}
HEADINGS |= {"without": "No clipping", "clipped": "Clipping", "dataset": "Data set", "protocol": "Protocol"}
HEADINGS |= {"bits": "Bits", "k": "K", "runs": "Runs"}
HIDDEN = ("Over", "Runs")  # until chosen in the table's menu; without them all fit into a window of 1280 px
NUMBERS = {"Gain": "%+.4f", "± (95%)": "%.4f", "No clipping": "%.4f", "Clipping": "%.4f"}


@st.cache_data(max_entries=16, show_spinner=False)
def _gains(fingerprints: tuple[str, ...], search: str, _runs: list[RunDir]) -> list[Gain]:
    return gains.gains(_runs, search=search)


def draw(search: str) -> None:
    """Pairs by gain; nothing where no two runs make a pair."""
    every = list(runs.all_runs().values())
    pairs = _gains(tuple(run.fingerprint for run in every), search, every)
    if not pairs:
        return
    st.header("Gain by clipping")
    text, chart = st.container(), st.container(width=charts.WIDEST)
    if presenting.folded():  # what there is to see comes first
        text = st.container()
    with chart:
        charts.show(figures.gains(pairs, key=f"gains {search}"), key="gains", name="benchmarks-gains")
    with text:
        glossary.paragraph(
            "Each pair shares images, [backbone], [code] length, schedule and seed; only the rule differs, each at its "
            f"own temperature. Open circle: no clipping; filled: clipping. By {search} search, observed with labels."
        )
    glossary.paragraph(DISAGREE)
    st.caption(" ".join(OVER[over] for over in OVER if over in {pair.over for pair in pairs}))
    if any(RUNS in pair.runs for pair in pairs):
        st.caption("The pair at the top is a mean over seeds of the study; the runs on its backbone repeat one seed.")
    headline.beside(*(gains.start(pair) for pair in pairs if RUNS not in pair.runs))
    columns = {name: st.column_config.NumberColumn(format=form) for name, form in NUMBERS.items()}
    columns |= dict.fromkeys(HIDDEN)
    st.dataframe(table(pairs), hide_index=True, key="gains table", column_config=columns, placeholder=EMPTY)


def table(pairs: list[Gain]) -> pd.DataFrame:
    """Pairs with gain, rule and backbone first."""
    rows = []
    for pair in pairs:
        values = {name: getattr(pair, name) for name in HEADINGS if hasattr(pair, name)}
        values |= {"gain": pair.gain.mean, "half": pair.gain.half, "over": f"{pair.gain.n} {pair.over}"}
        values["runs"] = ", ".join(f"{before} → {after}" for before, after in pair.runs)
        rows.append({heading: values[name] for name, heading in HEADINGS.items()})
    return pd.DataFrame(rows)
