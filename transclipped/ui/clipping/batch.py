"""The batch that Clipping shows: of a run, or of the bundled lab set with a head trained on it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from transclipped.analysis import baselines
from transclipped.analysis.baselines import Setting
from transclipped.analysis.clipping import report as clipping
from transclipped.analysis.clipping.batches import batch_of, lab_batch
from transclipped.analysis.clipping.dials import Dial, dial
from transclipped.analysis.clipping.report import Batch, mean_level, spread, suggestions
from transclipped.clipping import RULES
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.experiments.lab import curves
from transclipped.experiments.lab.curves import MapCurve
from transclipped.features import labset
from transclipped.runs.run import RunDir
from transclipped.ui import cached, links
from transclipped.ui.text import plain
from transclipped.ui.turns import one_at_a_time

SIZES = (64, 128, 256, 512)
SIZE = 128
RUN, LAB = "run", "lab"
SOURCES = {RUN: "the selected run", LAB: "the lab set"}
KEPT = "kept"  # in the address: the saved model instead of an epoch's
HEADS = {  # of the lab set, by name in the address
    rule if epoch == labset.EPOCHS else f"epoch-{epoch}": name for name, (rule, epoch) in labset.STAGES.items()
}
IMAGES = cached.named_data(labset.DATA)  # of the lab set
HELP = {
    "from": "The lab set holds 5,000 precomputed embeddings: it opens at once and needs no run.",
    "size": "B images, two views of each: every anchor has 2B − 2 negatives.",
    "draw": "Each number selects a different random sample of images.",
    "epoch": "The head after each epoch; early ones have learned little, and clip too many true negatives.",
    "batch": "Which images, and which model embeds them.",
    "head": "Heads trained on the lab set with τ = 0.3.",
}


@dataclass(frozen=True)
class View:
    """A batch and what its display needs.

    Attributes:
        batch: similarities of two views of its images.
        key: cache key of its content.
        data: names the image set, as `cached.run_data`.
        class_names: empty without labels.
        temperature: τ of the model's training.
        what: describes its images and model.
        clipping: the rule and settings of the run's training; None for the lab set.
    """

    batch: Batch
    key: str
    data: tuple
    class_names: tuple[str, ...]
    temperature: float
    what: str
    clipping: ClippingConfig | None = None

    @property
    def labelled(self) -> bool:
        return self.batch.false is not None

    def classes_of(self, row: int) -> str:
        """Class names of the image of a row, in either view; empty without labels."""
        if self.batch.classes is None:
            return ""
        image = self.batch.classes[row % len(self.batch.rows)]
        return ", ".join(name for name, has in zip(self.class_names, image, strict=False) if has)


BY_KEY = {View: lambda view: view.key}


def lab() -> labset.LabSet | None:
    """The bundled lab set, or None if it is missing."""
    path = labset.FOLDER / labset.FILE
    return _lab(str(path), path.stat().st_mtime_ns) if path.is_file() else None


def choose(run: RunDir | None) -> View | None:
    """The batch that the controls select; None with neither a run nor the lab set.

    Raises:
        InputError: something that the run needs is missing.
    """
    lab_set = lab()
    sources = [name for name, value in ((RUN, run), (LAB, lab_set)) if value is not None]
    if not sources:
        return None
    with st.popover("Images and model", icon=":material/tune:", help=HELP["batch"]):
        source, model, size, seed = _controls(run, sources)
    return _of_run(run, model, size, seed) if source == RUN else _of_lab(lab_set, model, size, seed)


def _controls(run: RunDir | None, sources: list[str]) -> tuple[str, int | str | None, int, int]:
    """Source, epoch of the run (None: its final model) or head of the lab set, number of images, and seed."""
    source, bound = sources[0], {"bind": "query-params"}
    if len(sources) > 1:
        options = {"key": "from", "default": RUN, "required": True, "help": HELP["from"]}
        source = links.choose(st.segmented_control, "Batch from", SOURCES, **options)
    if source == RUN:
        epochs = run.epochs() if run.config.backbone.train == "frozen" else []
        texts = {KEPT: "final"} | {str(epoch): f"after epoch {epoch}" for epoch in epochs}
        name = links.choose(st.selectbox, "Model", texts, key="epoch", default=KEPT, help=HELP["epoch"])
        model = None if name == KEPT else int(name)
    else:
        options = {"key": "head", "default": next(iter(HEADS)), "help": HELP["head"]}
        model = HEADS[links.choose(st.selectbox, "Model", HEADS, **options)]
    size = st.selectbox("Images", SIZES, SIZES.index(SIZE), key="size", help=HELP["size"], **bound)
    seed = int(st.number_input("Batch number", 0, 9999, 0, key="draw", help=HELP["draw"], **bound))
    return source, model, size, seed


def first(run: RunDir) -> View:
    """The batch of a run that is shown before anything is selected; raises as `choose`."""
    return _of_run(run, None, SIZE, 0)


def of_head(name: str, *, size: int, seed: int) -> View | None:
    """A batch of the lab set under one of its stored heads; None without the lab set."""
    lab_set = lab()
    return None if lab_set is None else _of_lab(lab_set, name, size, seed)


def _of_run(run: RunDir, epoch: int | None, size: int, seed: int) -> View:
    batch = _run_batch(run.fingerprint, epoch, size, seed, run, lab())
    key, names = f"{run.fingerprint} {epoch} {size} {seed}", tuple(run.record.get("class_names", ()))
    when = f" after epoch {epoch}" if epoch else ""
    what = f"{len(batch.rows)} training images as run {run.name} embeds them{when}, each as it is and mirrored"
    return View(batch, key, cached.run_data(run), names, run.config.loss.temperature, what, run.config.clipping)


def _of_lab(lab_set: labset.LabSet, head: str, size: int, seed: int) -> View:
    stamp = (labset.FOLDER / labset.HEADS).stat().st_mtime_ns if (labset.FOLDER / labset.HEADS).exists() else 0
    batch = _lab_batch(stamp, head, size, seed, lab_set)
    what = f"{len(batch.rows)} images of the lab set as a head {head} embeds them, each as it is and mirrored"
    return View(batch, f"lab {stamp} {head} {size} {seed}", IMAGES, lab_set.class_names, 0.3, what)


def turned(view: View, config: ClippingConfig, *, temperature: float) -> tuple[Dial, str]:
    """The rule's counts over the batch at each position of its slider, and a cache key."""
    beside = tuple(getattr(config, other.field) for other in RULES[config.rule].beside)
    settings = (config.rule, temperature, *beside)
    return _dial(view.key, settings, config, view.batch), f"{view.key} {settings}"


def reached(rule: str, temperature: float) -> MapCurve | None:
    """mAP of the lab's precomputed heads along a rule's slider; None if there are none."""
    path = labset.FOLDER / curves.FILE
    return curves.reached(precomputed(path.stat().st_mtime_ns if path.exists() else 0), rule, temperature)


def unclipped(curve: MapCurve | None) -> Setting | None:
    """Where a curve starts, without clipping, and its setting."""
    return None if curve is None else baselines.of_lab(curve.none, k=curve.k, temperature=curve.temperature)


@st.cache_data(max_entries=1, show_spinner=False)
def precomputed(stamp: int) -> list[dict]:
    """The lab's precomputed results; none if the file is missing or damaged."""
    try:
        return curves.load(labset.FOLDER)
    except InputError:
        return []


@st.cache_resource(max_entries=1, show_spinner="Opening the lab set …")
def _lab(path: str, stamp: int) -> labset.LabSet | None:
    try:
        return labset.load(labset.FOLDER)
    except InputError as error:
        st.error(plain(error))
        return None


@st.cache_resource(max_entries=8, show_spinner="Embedding a batch …")
@one_at_a_time
def _run_batch(fingerprint: str, epoch: int | None, size: int, seed: int, _run: RunDir, _lab) -> Batch:
    return batch_of(_run, size=size, seed=seed, epoch=epoch, lab=_lab)


@st.cache_resource(max_entries=8, show_spinner=False)
def _lab_batch(stamp: int, head: str, size: int, seed: int, _lab: labset.LabSet) -> Batch:
    return lab_batch(_lab, labset.load_head(_lab, head), size=size, seed=seed)


@st.cache_resource(max_entries=24, show_spinner=False)
def _dial(key: str, settings: tuple, _config: ClippingConfig, _batch: Batch) -> Dial:
    return dial(_batch, _config, temperature=settings[1])


@st.cache_resource(max_entries=12, show_spinner=False, hash_funcs=BY_KEY)
def report(view: View, config: ClippingConfig, *, temperature: float) -> clipping.Report:
    """What a rule clips of the batch; read-only."""
    return clipping.report(view.batch, config, temperature=temperature)


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=BY_KEY)
def mean_loss(view: View, config: ClippingConfig, *, temperature: float) -> float:
    """Contrastive loss of the batch in nats."""
    return clipping.mean_loss(view.batch, config, temperature=temperature)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=BY_KEY)
def suggested(view: View) -> list[tuple[str, float]]:
    """Names and values of thresholds that need no labels."""
    adaptive = mean_level(view.batch, ClippingConfig(rule="adaptive", sigma=2.0))
    thresholds = [(s.name, s.threshold) for s in suggestions(spread(view.batch))]
    return [*thresholds, ("mean + 2σ, averaged over anchors", adaptive)]
