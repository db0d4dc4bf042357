"""The settings of a training, as a form: presets fill it, a link can, and the result is a checked configuration."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.config import ANNOTATIONS, POTENTIAL, DataConfig, RunConfig, suited_backbone
from transclipped.datasets.registry import names as dataset_names
from transclipped.errors import InputError
from transclipped.flags import BUNDLED as BUNDLED_SETS
from transclipped.flags import configured
from transclipped.models import zoo
from transclipped.training.defaults import suited_batch, suited_epochs
from transclipped.ui import access, links
from transclipped.ui.text import plain
from transclipped.ui.train import check as train_check
from transclipped.ui.train import link as train_link
from transclipped.ui.train.link import number, one_of

QUICK, CAREFUL = "quick", "careful"
PRESETS = {QUICK: "Small sample", CAREFUL: "Careful"}  # how long either takes, the estimate alone may say
OTHER = "another of timm's …"
SUITED = ("batch", "epochs")  # settings that follow from the number of training pictures
RULE, BITS, TAU = "adaptive", 32, 0.3  # at first
RULES = {  # rule: what it clips, and its settings
    "none": ("nothing", ()),
    "rank": ("the share q of an anchor's most similar negatives", ("q",)),
    "threshold": ("every negative more similar than δ", ("delta",)),
    "rank+threshold": ("of the share q of the most similar, those above δ", ("q", "delta")),
    "adaptive": ("negatives above the anchor's own mean + c · σ", ("c",)),
    "debiased": ("nothing; corrects the sum over negatives for a share ρ of false ones", ("prior",)),
}
AMOUNTS = {  # key, which is its name in a link: setting, label, lowest, highest, first
    "delta": ("clipping.threshold", "Similarity δ", -1.0, 1.0, 0.5),
    "q": ("clipping.fraction", "Share q of the negatives", 0.0, 0.9, 0.05),
    "c": ("clipping.sigma", "Standard deviations c", 0.0, 5.0, 2.0),
    "prior": ("clipping.class_prior", "Assumed share ρ", 0.0, 0.9, 0.1),
}
LEARNS = {
    "frozen": "head only",
    "last-1": "head and last block",
    "last-2": "head and last 2 blocks",
    "all": "all of it",
}
FIRST = {  # values of widgets before anybody chose, by key; the preset fills in the others
    "set dataset": BUNDLED_SETS[0],
    "set protocol": "I",
    "set annotations": POTENTIAL,
    "set seed": 0,
    "set bits": BITS,
    "set lr": 3e-3,
    "set on": "quantized",
    "set start": 0.0,
    "set full": 0.0,
    "set learns": "frozen",
    "set select": "last",
}
BITS_OFFERED, COMPARED, SELECTIONS = (16, 32, 64), ("quantized", "continuous", "backbone"), ("last", "validation")
MOST = 10_000_000  # pictures of a limit
LINKED = {  # name in the address: key of the widget, and how its value is read
    "dataset": ("set dataset", one_of(dataset_names())),
    "folder": ("set data", train_link.text),
    "labels": ("set labels", train_link.text),
    "lists": ("set lists", train_link.text),
    "annotations": ("set annotations", one_of(ANNOTATIONS)),
    "protocol": ("set protocol", one_of(("I", "II"))),
    "seed": ("set seed", number(int, 0, 99_999)),
    "backbone": ("set backbone", one_of((*zoo.BUNDLED, OTHER))),
    "timm": ("set timm", train_link.text),
    "bits": ("set bits", one_of(BITS_OFFERED)),
    "train": ("set train", number(int, 1, MOST)),
    "database": ("set database", number(int, 1, MOST)),
    "queries": ("set query", number(int, 1, MOST)),
    "validation": ("set validation", number(int, 0, 100_000)),
    "epochs": ("set epochs", number(int, 1, 1000)),
    "batch": ("set batch", number(int, 2, 2048)),
    "lr": ("set lr", number(float, 1e-5, 1.0)),
    "views": ("set views", number(int, 2, 16)),
    "on": ("set on", one_of(COMPARED)),
    "start": ("set start", number(float, 0.0, 1000.0)),
    "full": ("set full", number(float, 0.0, 1000.0)),
    "learns": ("set learns", one_of(LEARNS)),
    "select": ("set select", one_of(SELECTIONS)),
    "name": ("name", train_link.text),
}
HIDDEN = ("data.train_limit", "data.validation", "schedule.batch", "select")  # fields below More settings
HELP = {
    "preset": "Fills in the settings below; each can be changed afterwards. Small sample: 2,000 pictures and 8 epochs, "
    "for a first look. Careful: all pictures.",
    "dataset": "The pictures that are learnt from and searched.",
    "protocol": "I trains on the whole database; II on 500 pictures a class of it, a draw that uses labels.",
    "data": "A folder on the machine that runs this app; for embeddings, a .npy, .npz or .parquet file.",
    "labels": "CSV with the columns id and label, only to measure with. Without it, sub-folders name the classes.",
    "lists": "Only to measure with. Leave it empty if the lists lie below the folder of the pictures.",
    "annotations": "Labels to measure by: the literature's 24, MIRFLICKR's 14 stricter ones, or both.",
    "rule": "Which negatives are taken for false and left out of the loss. Training never sees labels.",
    "treatment": "remove: a clipped pair leaves the loss. clamp: its similarity is held where the clipping begins.",
    "tau": "Of the contrastive loss: the smaller, the more the most similar negatives count. This form "
    "begins at 0.3, where validation chose c = 2; over all, the study on Benchmarks chose 0.2 with c = 1.5.",
    "backbone": "Turns a picture into the embedding that the head learns from.",
    "timm": "Such as vit_small_patch16_224.dino. Its weights are fetched once; without a network, a sentence says so.",
    "learns": "With the head only, pictures are encoded once; otherwise in every epoch, which takes much longer.",
    "bits": "Length of a code: 2, 4 or 8 bytes a picture.",
    "seed": "Same seed and machine, same result.",
    "on": "Which embeddings the rule compares: after the quantizer, before it, or the backbone's.",
    "warm-up": "Early similarities mean little: clipping may begin at an epoch and reach full strength later.",
    "epochs": "Passes over the training pictures.",
    "batch": "Pictures a step; each brings two views, so an anchor has 2 · batch − 2 negatives.",
    "lr": "Peak learning rate of the head; it warms up, then falls as half a cosine.",
    "views": "Versions of each picture that are encoded: plain, mirrored, the rest augmented.",
    "validation": "Pictures cut from the training set to watch mAP with, using labels; 0 for none. Never queries.",
    "limit": "At most so many; empty for all.",
    "select": "last keeps the last epoch; validation the one of the best validation mAP, which uses labels.",
}


def preset(name: str, dataset: str, protocol: str | None) -> dict[str, int | None]:
    """What a preset fills in, by widget. Limits of None mean all pictures."""
    if name == QUICK:
        limits = {"train": 2000, "database": 2000, "query": 200, "validation": 200 if dataset in BUNDLED_SETS else 0}
        return {**limits, "epochs": 8, "batch": 128, "views": 2}
    validation = {"cifar10": 500 if protocol == "II" else 2000, "caltech101": 200, "collage": 200}.get(dataset, 0)
    batch = 256 if dataset == "cifar10" else 128
    return {"train": None, "database": None, "query": None, "validation": validation,
            "epochs": 8 if dataset == "cifar10" else 16, "batch": batch, "views": 4}  # fmt: skip


def backbones(dataset: str) -> list[str]:
    """Bundled backbones whose weights are there, the one that suits the data set first."""
    return sorted(zoo.available(), key=lambda name: name != suited_backbone(dataset)) or [zoo.CNN]


@dataclass(frozen=True)
class Form:
    """The result of the form.

    Attributes:
        problems: what keeps it from training, by setting; none of them before the pictures were looked at.
        note: which numbers were suited to the pictures, "" if none.
    """

    config: RunConfig
    problems: dict[str, str]
    note: str


def form() -> Form:
    """Draw the form, each problem beside its field.

    Raises:
        InputError: settings that cannot be; the rest of the form is drawn already.
    """
    state = st.session_state
    train_link.restore(LINKED)
    for name in SUITED:
        if f"set {name}" in state and f"chosen {name}" not in state:  # it stands in the address
            state[f"chosen {name}"], state[f"suited {name}"] = True, None
    for key, value in FIRST.items():
        state.setdefault(key, value)
    places: dict[str, DeltaGenerator] = {}
    chosen = links.choose(
        st.segmented_control, "Preset", PRESETS, key="preset", default=QUICK, required=True, help=HELP["preset"]
    )
    if state.get("filled", chosen) != chosen:
        _fill()
    state["filled"] = chosen
    left, middle, right = st.columns(3)
    with left:
        changes = _pictures(places)
    _fill(only_new=True)
    with middle:
        changes |= _clipping()
    with right:
        changes |= _network(changes["data.dataset"], places)
    with st.expander("More settings", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        with left:
            changes |= _limits(places)
        note = _fill_suited(_training_pictures(changes))
        with middle:
            changes |= _schedule(places)
        with right:
            changes |= _details(changes["clipping.rule"], changes.get("backbone.name"), places)
    train_link.remember(LINKED, {**FIRST, **_usual_values(changes["data.dataset"])})
    _refuse_pairs(changes, places)
    config = configured(RunConfig(), changes)
    problems = train_check.problems(config)
    for setting, sentence in problems.items():
        if setting in places:
            missing = setting == "data.data" and not config.data.data  # nothing is wrong yet
            (places[setting].info if missing else places[setting].error)(plain(sentence))
    return Form(config, problems, note)


def _refuse_pairs(changes: dict, places: dict[str, DeltaGenerator]) -> None:
    """Settings that cannot be together, said beside the one to change.

    Raises:
        InputError: there are such.
    """
    if changes["select"] == "validation" and not changes["data.validation"]:
        sentence = "The best epoch by validation needs validation pictures: set some aside, such as 200, or keep last."
        places["select"].error(sentence)
        raise InputError(sentence, setting="select")
    if changes.get("clipping.start", 0) > changes.get("clipping.full", 0):
        places["clipping.full"].error("Clipping cannot be at its full strength before it begins.")


def _training_pictures(changes: dict) -> int | None:
    """How many pictures train with these settings; None as long as there are none."""
    data = {path.removeprefix("data."): value for path, value in changes.items() if path.startswith("data.")}
    try:
        return len(train_check.look(DataConfig(**data))[1].train)
    except InputError:  # said beside the field
        return None


def usual() -> RunConfig:
    """The configuration before anything is chosen."""
    values = preset(QUICK, "cifar10", "I")
    limits = {f"data.{name}_limit": values[name] for name in ("train", "database", "query")}
    schedule = {f"schedule.{name}": values[name] for name in ("epochs", "batch", "views")}
    path, *_, amount = AMOUNTS["c"]
    others = {"data.dataset": "cifar10", "data.protocol": "I", "data.validation": values["validation"]}
    others |= {"backbone.name": backbones("cifar10")[0], "clipping.rule": RULE, path: amount}
    return configured(RunConfig(), limits | schedule | others | {"quantizer.bits": BITS, "loss.temperature": TAU})


def stem(config: RunConfig) -> str:
    """A name for a run, from what tells it from others."""
    rule = config.clipping.rule.replace("+", "-")
    return f"{config.data.dataset}-{rule}-{config.quantizer.bits}-s{config.seed}"


def _filling() -> dict[str, int | None]:
    """What the chosen preset fills in."""
    state = st.session_state
    return preset(state.get("preset") or QUICK, state.get("set dataset", "cifar10"), state.get("set protocol"))


def _fill(*, only_new: bool = False) -> None:
    """Put the preset's values into the widgets, or only into those that have none yet."""
    state = st.session_state
    for name, value in _filling().items():
        if not only_new or f"set {name}" not in state:
            state[f"set {name}"] = value
            if name in SUITED:
                state[f"suited {name}"], state[f"chosen {name}"] = value, False


def _fill_suited(pictures: int | None) -> str:
    """Put in batch and epochs that suit the number of training pictures, where nobody chose others; say so."""
    state, usual = st.session_state, _filling()
    if pictures is None:
        return ""
    state["suited batch"] = suited_batch(pictures, most=usual["batch"])
    _put_suited("batch")
    state["suited epochs"] = suited_epochs(pictures, state["set batch"], least=usual["epochs"])
    _put_suited("epochs")
    now = {name: state[f"set {name}"] for name in SUITED}
    if all(now[name] == usual[name] or state.get(f"chosen {name}") for name in SUITED):
        return ""
    return f"Batch {now['batch']} and {now['epochs']} epochs suit {pictures:,} training pictures."


def _put_suited(name: str) -> None:
    if not st.session_state.get(f"chosen {name}"):
        st.session_state[f"set {name}"] = st.session_state[f"suited {name}"]


def _chosen(name: str) -> None:
    """From now on a number is the visitor's."""
    st.session_state[f"chosen {name}"] = True


def _usual_values(dataset: str) -> dict[str, object]:
    """Values that the form fills in itself now, by key of the widget."""
    state = st.session_state
    suited = {f"set {name}": state[f"suited {name}"] for name in SUITED}
    return (
        {f"set {name}": value for name, value in _filling().items()} | suited | {"set backbone": backbones(dataset)[0]}
    )


def _suit() -> None:
    """The preset and the backbone that suit another data set."""
    _fill()
    st.session_state.pop("set backbone", None)


def _fill_validation() -> None:
    """As many validation pictures as the preset takes from the training set of this protocol."""
    st.session_state["set validation"] = _filling()["validation"]


def _pictures(places: dict[str, DeltaGenerator]) -> dict:
    dataset = st.selectbox("Data set", list(dataset_names()), key="set dataset", on_change=_suit, help=HELP["dataset"])
    st.caption(f"{plain(dataset_names()[dataset])}.")
    changes = {"data.dataset": dataset}
    if dataset == "cifar10":
        changes["data.protocol"] = st.segmented_control(
            "Protocol", ["I", "II"], required=True, key="set protocol", on_change=_fill_validation,
            help=HELP["protocol"],
        )  # fmt: skip
    if dataset not in BUNDLED_SETS:
        changes["data.data"] = st.text_input("Folder or file", key="set data", help=HELP["data"]).strip() or None
        places["data.data"] = st.empty()
    if dataset in ("folder", "embeddings"):
        changes["data.labels"] = st.text_input("Labels (CSV)", key="set labels", help=HELP["labels"]).strip() or None
        places["data.labels"] = st.empty()
    if dataset in ("mirflickr", "nuswide"):
        lists = st.text_input("Folder of label lists", key="set lists", placeholder="optional", help=HELP["lists"])
        changes["data.labels"] = lists.strip() or None
        places["data.labels"] = st.empty()
    if dataset == "mirflickr":
        changes["data.annotations"] = st.segmented_control(
            "Annotations", ANNOTATIONS, required=True, key="set annotations",
            help=HELP["annotations"],
        )  # fmt: skip
    changes["seed"] = int(st.number_input("Seed", 0, 99_999, key="set seed", help=HELP["seed"]))
    return changes


def _clipping() -> dict:
    rule = st.selectbox(
        "Clipping rule", list(RULES), index=list(RULES).index(RULE), key="rule", bind="query-params",
        help=HELP["rule"],
    )  # fmt: skip
    st.caption(f"Clips {RULES[rule][0]}.")
    changes = {"clipping.rule": rule}
    for key in RULES[rule][1]:
        path, label, low, high, first = AMOUNTS[key]
        changes[path] = st.slider(label, low, high, first, 0.01, key=key, bind="query-params")
    if rule not in ("none", "debiased"):
        changes["clipping.treatment"] = st.segmented_control(
            "Clipped pairs", ["remove", "clamp"], default="remove", required=True, key="treatment",
            bind="query-params", help=HELP["treatment"],
        )  # fmt: skip
    return changes


def _network(dataset: str, places: dict[str, DeltaGenerator]) -> dict:
    changes = {}
    if dataset != "embeddings":
        names = [*backbones(dataset), *([OTHER] if access.may() else [])]
        name = st.selectbox("Backbone", names, key="set backbone", help=HELP["backbone"])
        if name in zoo.BUNDLED:
            st.caption(f"{zoo.BUNDLED[name].words}.")
        else:
            name = st.text_input("Name in timm", key="set timm", help=HELP["timm"]).strip() or backbones(dataset)[0]
        changes["backbone.name"] = name
        places["backbone.name"] = st.empty()
    changes["quantizer.bits"] = st.segmented_control(
        "Bits", BITS_OFFERED, required=True, key="set bits", help=HELP["bits"]
    )
    changes["loss.temperature"] = st.slider(
        "Temperature τ", 0.05, 1.0, TAU, 0.01, key="tau", bind="query-params", help=HELP["tau"]
    )
    return changes


def _limits(places: dict[str, DeltaGenerator]) -> dict:
    changes = {}
    for name, label in (("train", "Training"), ("database", "Database"), ("query", "Query")):
        changes[f"data.{name}_limit"] = st.number_input(
            f"{label} pictures", 1, MOST, None, 100, key=f"set {name}", placeholder="all", help=HELP["limit"]
        )
        places[f"data.{name}_limit"] = st.empty()
    changes["data.validation"] = st.number_input(
        "Validation pictures", 0, 100_000, step=100, key="set validation", help=HELP["validation"]
    )
    places["data.validation"] = st.empty()
    return changes


def _schedule(places: dict[str, DeltaGenerator]) -> dict:
    changes = {
        "schedule.epochs": st.number_input(
            "Epochs", 1, 1000, key="set epochs", help=HELP["epochs"], on_change=_chosen, args=("epochs",)
        )
    }
    changes["schedule.batch"] = st.number_input(
        "Batch", 2, 2048, key="set batch", help=HELP["batch"], on_change=_chosen, args=("batch",)
    )
    places["schedule.batch"] = st.empty()
    changes["schedule.lr"] = st.number_input(
        "Learning rate", 1e-5, 1.0, step=1e-3, format="%.5f", key="set lr", help=HELP["lr"]
    )
    changes["schedule.views"] = st.number_input("Views", 2, 16, key="set views", help=HELP["views"])
    return changes


def _details(rule: str, backbone: str | None, places: dict[str, DeltaGenerator]) -> dict:
    changes = {}
    if rule != "none":
        if rule != "debiased":
            changes["clipping.on"] = st.selectbox("Compared embeddings", COMPARED, key="set on", help=HELP["on"])
        begin, full = st.columns(2)
        changes["clipping.start"] = begin.number_input(
            "Clip from epoch", 0.0, 1000.0, step=0.5, key="set start", help=HELP["warm-up"]
        )
        changes["clipping.full"] = full.number_input(
            "fully from", 0.0, 1000.0, step=0.5, key="set full", help=HELP["warm-up"]
        )
        places["clipping.full"] = st.empty()
    if backbone is not None:
        changes["backbone.train"] = st.selectbox(
            "What learns", list(LEARNS), key="set learns", format_func=LEARNS.get, help=HELP["learns"]
        )
    changes["select"] = st.selectbox("Epoch that is kept", SELECTIONS, key="set select", help=HELP["select"])
    places["select"] = st.empty()
    return changes
