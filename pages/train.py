"""Train: choose settings, start, watch, stop, go on."""

import streamlit as st

from transclipped.config import RunConfig
from transclipped.flags import command, configured
from transclipped.ui import charts, jobs, runs
from transclipped.ui.guard import guarded

PRESETS = {
    "One minute on this laptop": {
        "data.train_limit": 2000, "data.database_limit": 2000, "data.query_limit": 200, "data.validation": 200,
        "schedule.epochs": 8, "schedule.batch": 128, "schedule.views": 2,
    },
    "Careful": {"data.validation": 2000, "schedule.epochs": 8},
}  # fmt: skip
RULES = {
    "none": None,
    "rank": ("clipping.fraction", "Share q of an anchor's negatives", 0.0, 0.5, 0.05),
    "threshold": ("clipping.threshold", "Similarity δ above which a pair is clipped", -1.0, 1.0, 0.5),
    "rank+threshold": ("clipping.threshold", "Similarity δ, among the most similar 5 %", -1.0, 1.0, 0.5),
    "adaptive": ("clipping.sigma", "Standard deviations c above the anchor's mean", 0.0, 5.0, 2.0),
    "debiased": ("clipping.class_prior", "Assumed share ρ of false negatives", 0.0, 0.5, 0.1),
}
HELP = {
    "rule": "Which negatives are taken for false and left out of the loss.",
    "bits": "Length of a code: 2, 4 or 8 bytes a picture.",
    "temperature": "τ of the contrastive loss: the smaller, the more the most similar negatives count.",
    "protocol": "I trains on the whole database; II on 500 pictures a class of it.",
    "seed": "Same seed, same machine: same result.",
}
FIGURES = (
    ("loss", "Loss by part (nats)", ("loss", "contrastive", "entropy")),
    ("clip_fraction", "Share of pairs clipped", ("clip_fraction",)),
    ("clip_precision", "Share of clipped pairs that were false negatives (observed with labels)", ("clip_precision",)),
    ("validation_map", "Validation mAP (observed with labels)", ("validation_map",)),
    ("perplexity", "Codewords in use, of 256 (perplexity)", ("perplexity",)),
    ("images_per_s", "Speed, pictures per second", ("images_per_s",)),
)


@guarded
def form() -> None:
    preset = st.segmented_control("Preset", list(PRESETS), default=next(iter(PRESETS)), required=True)
    columns = st.columns(3)
    rule = columns[0].selectbox("Clipping rule", list(RULES), index=4, help=HELP["rule"])
    bits = columns[1].segmented_control("Bits", [16, 32, 64], default=32, required=True, help=HELP["bits"])
    protocol = columns[2].segmented_control("Protocol", ["I", "II"], default="I", required=True, help=HELP["protocol"])
    changes = {**PRESETS[preset], "clipping.rule": rule, "quantizer.bits": bits, "data.protocol": protocol}
    if RULES[rule]:
        path, label, low, high, value = RULES[rule]
        changes[path] = columns[0].slider(label, low, high, value, key=f"set {rule}")
    changes["loss.temperature"] = columns[1].slider("Temperature τ", 0.05, 1.0, 0.3, help=HELP["temperature"])
    changes["seed"] = int(columns[2].number_input("Seed", 0, 9999, 0, help=HELP["seed"]))
    name = st.text_input("Name of the run", f"mine-{rule.replace('+', '-')}-{bits}-{changes['seed']}")
    config = configured(RunConfig(), changes)
    st.caption("The same from a terminal:")
    st.code(command(config, f"runs/{name}"), language="bash", wrap_lines=True)
    if st.button("Start", type="primary", icon=":material/play_arrow:"):
        jobs.start(config, name)
        st.session_state["watched"] = name
        st.rerun()


def curves(run) -> None:
    steps = run.events("step", "epoch")
    columns = st.columns(2)
    shown = 0
    for first, title, names in FIGURES:
        lines = {}
        for name in names:
            kind = "epoch" if name == "validation_map" else "step"
            points = [(e["epoch"], e[name]) for e in steps if e["kind"] == kind and name in e]
            if points:
                lines[name.replace("_", " ")] = tuple(zip(*points, strict=True))
        if lines:
            with columns[shown % 2]:
                st.caption(title)
                st.plotly_chart(charts.curves(lines, x="epoch", y="", key=f"{run.name}{first}"), key=f"live {first}")
            shown += 1


def controls(run, state: str) -> None:
    if state == "running":
        if st.button("Stop", icon=":material/stop:", help="Saves the state first."):
            run.ask_to_stop()
        return
    own = runs.BUNDLED not in run.path.parents
    if own and state in ("stopped", "interrupted", "failed") and st.button("Resume", icon=":material/resume:"):
        jobs.resume(run)
        st.session_state["watched"] = run.name
        st.rerun()


def status_line(run, status: dict, state: str) -> None:
    if state == "running":
        done, total = status.get("done", 0), status.get("total") or 1
        left = status.get("seconds_left")
        text = f"{status.get('stage', 'preparing')}: {done:,} of {total:,}" + (f", {left:.0f} s left" if left else "")
        st.progress(min(1.0, done / total), text)
    elif state == "failed":
        st.error(status.get("error") or "The training failed.")
    else:
        st.info(f"{run.name} {runs.STATES.get(state, state)}.")


@guarded
def watch(run) -> None:
    status = run.status()
    state = status.get("state", "interrupted")
    status_line(run, status, state)
    controls(run, state)
    curves(run)


@st.fragment(run_every="1s")
def follow(name: str) -> None:
    """Redraws every second until the training ends, then once more without the clock."""
    run = runs.all_runs().get(name)
    if run is None:
        st.info(f"{name} is being prepared …")
    else:
        watch(run)
    if not jobs.live(name):
        st.rerun()


st.title("Train")
st.caption(
    "A head and a quantizer learn from unlabelled pictures, in a process of its own: closing this page loses nothing."
)
current = runs.current()
form()
st.divider()
active = jobs.busy()
watched = active.name if active else st.session_state.get("watched")
if watched and jobs.live(watched):
    st.subheader(f"Training {watched}")
    follow(watched)
elif watched and (said := jobs.last_words(runs.home() / watched)) and watched not in runs.all_runs():
    st.error(said)
elif (run := runs.all_runs().get(watched) or current) is None:
    st.info("No run yet: choose a preset and press Start.")
else:
    st.subheader(f"Run {run.name}")
    watch(run)
