"""The batch that Clipping shows: of a run, or of the bundled lab set with a head trained on it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from transclipped.analysis.clipping import report as clipping
from transclipped.analysis.clipping.batches import batch_of, lab_batch
from transclipped.analysis.clipping.dials import Dial, dial
from transclipped.analysis.clipping.report import Batch, mean_level, spread, suggestions
from transclipped.clipping import RULES
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.features import labset
from transclipped.runs.run import RunDir
from transclipped.ui import cached, links, shell
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
    """

    batch: Batch
    key: str
    data: tuple
    class_names: tuple[str, ...]
    temperature: float
    what: str

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
    bound = {"bind": "query-params"}
    with shell.aside("batch"), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        source = sources[0]
        if len(sources) > 1:
            options = {"key": "from", "default": RUN, "required": True, "help": HELP["from"]}
            source = links.choose(st.segmented_control, "Batch from", SOURCES, **options)
        if source == RUN:
            epochs = run.epochs() if run.config.backbone.train == "frozen" else []
            texts = {KEPT: "saved model"} | {str(epoch): str(epoch) for epoch in epochs}
            options = {"key": "epoch", "default": KEPT, "width": 150, "help": HELP["epoch"]}
            model = links.choose(st.selectbox, "After epoch", texts, **options)
        else:
            options = {"key": "head", "default": next(iter(HEADS)), "width": 300, "help": HELP["head"]}
            model = HEADS[links.choose(st.selectbox, "Model", HEADS, **options)]
        size = st.selectbox("Images", SIZES, SIZES.index(SIZE), key="size", width=110, help=HELP["size"], **bound)
        seed = int(st.number_input("Sample", 0, 9999, 0, key="draw", width=130, help=HELP["draw"], **bound))
    if source == RUN:
        return _of_run(run, None if model == KEPT else int(model), size, seed)
    stamp = (labset.FOLDER / labset.HEADS).stat().st_mtime_ns if (labset.FOLDER / labset.HEADS).exists() else 0
    batch = _lab_batch(stamp, model, size, seed, lab_set)
    what = f"{len(batch.rows)} images of the lab set, plain and flipped, with a head {model}"
    return View(batch, f"lab {stamp} {model} {size} {seed}", IMAGES, lab_set.class_names, 0.3, what)


def first(run: RunDir) -> View:
    """The batch of a run that is shown before anything is selected; raises as `choose`."""
    return _of_run(run, None, SIZE, 0)


def _of_run(run: RunDir, epoch: int | None, size: int, seed: int) -> View:
    batch = _run_batch(run.fingerprint, epoch, size, seed, run, lab())
    key, names = f"{run.fingerprint} {epoch} {size} {seed}", tuple(run.record.get("class_names", ()))
    model = f"the model after epoch {epoch} of run {run.name}" if epoch else f"the model of run {run.name}"
    what = f"{len(batch.rows)} training images, plain and flipped, with {model}"
    return View(batch, key, cached.run_data(run), names, run.config.loss.temperature, what)


def turned(view: View, config: ClippingConfig) -> tuple[Dial, str]:
    """The rule's counts over the batch at each position of its slider, and a cache key."""
    settings = (config.rule, *(getattr(config, other.field) for other in RULES[config.rule].beside))
    return _dial(view.key, settings, config, view.batch), f"{view.key} {settings}"


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
    return dial(_batch, _config)


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
