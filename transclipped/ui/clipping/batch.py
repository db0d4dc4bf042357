"""Which batch the Clipping lab looks at: of a run, or of the bundled lab set under a head trained on it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from transclipped.analysis.clipping import report as clipping
from transclipped.analysis.clipping.batches import batch_of
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
SOURCES = {RUN: "the chosen run", LAB: "the lab set"}
KEPT = "kept"
HEADS = {  # of the lab set, by what a link calls them
    rule if epoch == labset.EPOCHS else f"epoch-{epoch}": name for name, (rule, epoch) in labset.STAGES.items()
}
IMAGES = cached.named_data(labset.DATA)  # of the lab set


@dataclass(frozen=True)
class View:
    """A batch with what is needed to show it.

    Attributes:
        batch: similarities of two views of its images.
        key: names its content.
        data: names the image set, as `cached.run_data`.
        class_names: empty without labels.
        temperature: τ that its model was trained with.
        what: a sentence on where it comes from.
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
        """Names of the classes of image `row` of the batch (either view); empty without labels."""
        if self.batch.classes is None:
            return ""
        image = self.batch.classes[row % len(self.batch.rows)]
        return ", ".join(name for name, has in zip(self.class_names, image, strict=False) if has)


def lab() -> labset.LabSet | None:
    """The bundled lab set; None where it is missing."""
    path = labset.FOLDER / labset.FILE
    return _lab(str(path), path.stat().st_mtime_ns) if path.is_file() else None


def choose(run: RunDir | None) -> View | None:
    """Controls that choose the batch, and the batch; None where there is neither run nor lab set.

    Raises:
        InputError: the run lacks something.
    """
    known = lab()
    sources = [name for name, there in ((RUN, run), (LAB, known)) if there is not None]
    if not sources:
        return None
    with shell.aside("batch"), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        source = sources[0]
        if len(sources) > 1:
            source = links.choose(
                st.segmented_control, "Batch from", SOURCES, key="from", default=RUN, required=True,
                help="The lab set is 5,000 images embedded beforehand: it answers at once, and needs no run.",
            )  # fmt: skip
        model = _model(run) if source == RUN else _head()
        size = st.selectbox(
            "Images", SIZES, SIZES.index(SIZE), key="size", bind="query-params", width=110,
            help="B images, two views of each: every anchor has 2B − 2 negatives.",
        )  # fmt: skip
        seed = st.number_input(
            "Draw", 0, 9999, 0, key="draw", bind="query-params", width=130,
            help="Which images: another number, another batch.",
        )  # fmt: skip
    if source == RUN:
        return _of_run(run, model, int(size), int(seed))
    return _of_lab(known, model, int(size), int(seed))


def first(run: RunDir) -> View:
    """The batch of a run that the lab shows before anything is chosen.

    Raises:
        InputError: the run lacks something.
    """
    return _of_run(run, None, SIZE, 0)


def turned(view: View, config: ClippingConfig) -> tuple[Dial, str]:
    """The dial of a rule over a batch, and a name of its content."""
    settings = (config.rule, *(getattr(config, other.field) for other in RULES[config.rule].beside))
    return _dial(view.key, settings, config, view.batch), f"{view.key} {settings}"


def report(view: View, config: ClippingConfig, *, temperature: float) -> clipping.Report:
    """What a rule clips of the batch; read-only."""
    return _report(view.key, config, temperature, view.batch)


def mean_loss(view: View, config: ClippingConfig, *, temperature: float) -> float:
    """Contrastive loss of the batch in nats."""
    return _mean_loss(view.key, config, temperature, view.batch)


def suggested(view: View) -> list[tuple[str, float]]:
    """Thresholds that need no label, by name."""
    return _suggested(view.key, view.batch)


def _model(run: RunDir) -> int | None:
    """Epoch whose head is looked at; None for the kept one."""
    epochs = [KEPT, *map(str, run.epochs())] if run.config.backbone.train == "frozen" else [KEPT]
    chosen = links.choose(
        st.selectbox, "After epoch", {epoch: epoch for epoch in epochs}, key="epoch", default=KEPT, width=130,
        help="Each epoch's head was kept: early ones know little, and clip what they should not.",
    )  # fmt: skip
    return None if chosen == KEPT else int(chosen)


def _head() -> str:
    chosen = links.choose(
        st.selectbox, "Model", HEADS, key="head", default=next(iter(HEADS)), width=300,
        help="Heads trained on the lab set with τ = 0.3.",
    )  # fmt: skip
    return HEADS[chosen]


def _of_run(run: RunDir, epoch: int | None, size: int, seed: int) -> View:
    names = tuple(run.record.get("class_names", ()))
    found = _run_batch(run.fingerprint, epoch, size, seed, run, lab())
    model = f"after epoch {epoch} of" if epoch else "of"
    return View(
        found,
        f"{run.fingerprint} {epoch} {size} {seed}",
        cached.run_data(run),
        names,
        run.config.loss.temperature,
        f"{len(found.rows)} training images under the model {model} run {run.name}",
    )


def _of_lab(known: labset.LabSet, head: str, size: int, seed: int) -> View:
    stamp = (labset.FOLDER / labset.HEADS).stat().st_mtime_ns if (labset.FOLDER / labset.HEADS).exists() else 0
    found = _lab_batch(stamp, head, size, seed, known)
    what = f"{len(found.rows)} images of the lab set under a head {head}"
    return View(found, f"lab {stamp} {head} {size} {seed}", IMAGES, known.class_names, 0.3, what)


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
    from transclipped.analysis.clipping.batches import lab_batch

    return lab_batch(_lab, labset.load_head(_lab, head), size=size, seed=seed)


@st.cache_resource(max_entries=24, show_spinner=False)
def _dial(key: str, settings: tuple, _config: ClippingConfig, _batch: Batch) -> Dial:
    return dial(_batch, _config)


@st.cache_resource(max_entries=12, show_spinner=False)
def _report(key: str, config: ClippingConfig, temperature: float, _batch: Batch) -> clipping.Report:
    return clipping.report(_batch, config, temperature=temperature)


@st.cache_resource(max_entries=64, show_spinner=False)
def _mean_loss(key: str, config: ClippingConfig, temperature: float, _batch: Batch) -> float:
    return clipping.mean_loss(_batch, config, temperature=temperature)


@st.cache_resource(max_entries=16, show_spinner=False)
def _suggested(key: str, _batch: Batch) -> list[tuple[str, float]]:
    adaptive = mean_level(_batch, ClippingConfig(rule="adaptive", sigma=2.0))
    found = [(s.name, s.threshold) for s in suggestions(spread(_batch))]
    return [*found, ("mean + 2σ of each anchor, on average", adaptive)]
