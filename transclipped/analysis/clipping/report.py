"""What clipping does in one batch: which pairs it clips and, with labels, how many of them were false negatives.

Everything here is a pure function of a `Batch`, the cosines of two views of B images. A negative that shares the
anchor's class is false. Clipping predicts those, so it has a precision (share of the clipped pairs that are false) and
a recall (share of the false pairs that are clipped). Labels serve analysis only; no rule sees them.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transclipped.analysis.clipping.repulsion import false_negative_repulsion
from transclipped.analysis.clipping.thresholds import mixture, otsu
from transclipped.clipping import Clipped, clip, negatives
from transclipped.config import ClippingConfig
from transclipped.losses import attention_logits, contrastive_loss, cosines
from transclipped.retrieval.relevance import relevance

CURVE = np.linspace(-1, 1, 401)  # cosines where curves are drawn
PAIRS_OF_VIEWS = 8  # ordered pairs of rows for the same two images


@dataclass(frozen=True)
class Batch:
    """Similarities of two views of B images under a model.

    Attributes:
        rows: `[B]` of the image set.
        similarity: `[2B, 2B]` float32 cosines; rows i and i + B are two views of one image.
        false: `[2B, 2B]` bool, negatives that share a label with the anchor; None without labels.
        classes: `[B, L]` bool, the classes of each image; None without labels.
    """

    rows: np.ndarray
    similarity: np.ndarray
    false: np.ndarray | None
    classes: np.ndarray | None = None


@dataclass(frozen=True)
class Pairs:
    """Pairs of an anchor and a negative, the most similar first: rows `[k]` of the 2B views, and cosines `[k]`."""

    anchor: np.ndarray
    other: np.ndarray
    similarity: np.ndarray


@dataclass(frozen=True)
class Report:
    """What a rule clips of a batch.

    Attributes:
        mask: `[2B, 2B]` bool, clipped pairs.
        share: of all pairs of an anchor and a negative.
        precision: share of clipped pairs that were false negatives; None if nothing was clipped.
        recall: share of false negatives that were clipped; None if there are none.
        repulsion: (before, after), share of the repulsive softmax weight that falls on false negatives.
        wrong: true negatives that were clipped; missed: false negatives that were not. Each two images once.
        confusion: `[L, L]` int64, clipped pairs by class of anchor and negative.
        All but the first two are None without labels.
    """

    mask: np.ndarray
    share: float
    precision: float | None
    recall: float | None
    repulsion: tuple[float, float] | None
    wrong: Pairs | None = None
    missed: Pairs | None = None
    confusion: np.ndarray | None = None


@dataclass(frozen=True)
class Spread:
    """Sorted cosines of the negatives, each pair of views once: all, and of same and other class (None unlabelled)."""

    every: np.ndarray
    same: np.ndarray | None
    other: np.ndarray | None


@dataclass(frozen=True)
class Curve:
    """What clipping above each threshold `[T]` does: share of pairs, precision and recall (None without labels).

    Precision is NaN where nothing is clipped, recall where nothing is false.
    """

    threshold: np.ndarray
    share: np.ndarray
    precision: np.ndarray | None
    recall: np.ndarray | None


@dataclass(frozen=True)
class Suggestion:
    """A threshold computed without labels; share, precision and recall of clipping above it (None without labels)."""

    name: str
    threshold: float
    share: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Forces:
    """Loss of one anchor and what it does to its positive and its negatives.

    Attributes:
        loss: nats.
        weight: `[n]` softmax weights of the negatives; they sum to 1 with `positive_weight`. Of `debiased`, which
            is no softmax, τ · gradient.
        gradient: `[n]` ∂ℓ/∂s of each negative, positive where it is pushed away.
        positive_gradient: ∂ℓ/∂s⁺, negative since the positive is pulled.
    """

    loss: float
    weight: np.ndarray
    positive_weight: float
    gradient: np.ndarray
    positive_gradient: float


@dataclass(frozen=True)
class AnchorSteps:
    """The loss of one anchor, step by step; arrays over its n negatives, the most similar first, ties by index.

    Attributes:
        positive: row of the other view, and its cosine.
        other: `[n]` rows; similarity: `[n]` cosines; false: `[n]` bool, None without labels.
        clipped: `[n]` bool; level: the cosine at which the treatment `clamp` holds them.
        before, after: forces without and with the rule.
    """

    positive: int
    positive_similarity: float
    other: np.ndarray
    similarity: np.ndarray
    false: np.ndarray | None
    clipped: np.ndarray
    level: float
    before: Forces
    after: Forces


def batch(
    z: Tensor | np.ndarray, *, labels: np.ndarray | None = None, rows: np.ndarray | None = None, classes: int = 0
) -> Batch:
    """Batch of embeddings `[2B, D]`, rows i and i + B being two views of one image.

    Args:
        labels: `[B]` int from 0, or `[B, L]` with 1 for each label that an image has.
        rows: `[B]` of the image set, 0 … B − 1 by default.
        classes: L at least, for `[B]` labels; a batch may lack some classes.

    Raises:
        ValueError: shapes disagree.
    """
    similarity = cosines(torch.as_tensor(z).detach().cpu()).float().numpy()
    candidates, b = negatives(len(similarity)).numpy(), len(similarity) // 2
    rows = np.arange(b) if rows is None else np.asarray(rows)
    if len(rows) != b or (labels is not None and len(labels) != b):
        counts = f"{len(rows)} rows" + ("" if labels is None else f" and {len(labels)} labels")
        raise ValueError(f"need one row and label for each of {b} images, got {counts}")
    if labels is None:
        return Batch(rows, similarity, None)
    labels = np.asarray(labels)
    of_views = np.concatenate([labels, labels])  # of the 2B views
    marks = labels
    if labels.ndim == 1:
        marks = labels[:, None] == np.arange(max(classes, int(labels.max(initial=0)) + 1))
    return Batch(rows, similarity, relevance(of_views, of_views) & candidates, marks > 0)


def report(
    batch: Batch, config: ClippingConfig, *, temperature: float, epoch: float = math.inf, worst: int = 12
) -> Report:
    """Apply a rule to a batch and compare with the labels, if there are any; lists the `worst` mistakes of a kind."""
    similarity = torch.tensor(batch.similarity)
    clipped = clip(similarity, config, epoch=epoch)
    mask, n = clipped.mask.numpy(), len(similarity)
    count = int(mask.sum())
    share = count / max(1, n * (n - 2))
    if batch.false is None:
        return Report(mask, share, None, None, None)
    hits, every = int((mask & batch.false).sum()), int(batch.false.sum())
    return Report(
        mask,
        share,
        hits / count if count else None,
        hits / every if every else None,
        false_negative_repulsion(similarity, clipped, torch.tensor(batch.false), temperature=temperature),
        _most_similar_pairs(batch.similarity, mask & ~batch.false, worst),
        _most_similar_pairs(batch.similarity, batch.false & ~mask, worst),
        None if batch.classes is None else _by_class(mask, batch.classes),
    )


def spread(batch: Batch) -> Spread:
    """Sorted cosines of all negatives, for histograms and curves."""
    pairs = np.triu(negatives(len(batch.similarity)).numpy())
    every = np.sort(batch.similarity[pairs])
    if batch.false is None:
        return Spread(every, None, None)
    same = batch.false & pairs
    return Spread(every, np.sort(batch.similarity[same]), np.sort(batch.similarity[pairs & ~same]))


def separation(spread: Spread) -> float | None:
    """Probability that a false negative is more similar than a true one, ties counting half: the area under the ROC.

    None without labels, or without negatives of both kinds.
    """
    if spread.same is None or not len(spread.same) or not len(spread.other):
        return None
    below, up_to = (np.searchsorted(spread.other, spread.same, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(spread.other))


def curve(spread: Spread, thresholds: np.ndarray = CURVE) -> Curve:
    """Share, precision and recall of the rule `threshold` at many δ at once."""
    clipped = _above(spread.every, thresholds)
    share = clipped / max(1, len(spread.every))
    if spread.same is None:
        return Curve(thresholds, share, None, None)
    hits = _above(spread.same, thresholds)
    with np.errstate(invalid="ignore"):
        return Curve(thresholds, share, hits / clipped, hits / np.float64(len(spread.same)))


def suggestions(spread: Spread) -> tuple[Suggestion, ...]:
    """Thresholds by Otsu and by a mixture of two normal distributions."""
    thresholds = {"Otsu": otsu(spread.every), "Gaussian mixture": mixture(spread.every)}
    effect = curve(spread, np.array(list(thresholds.values())))
    return tuple(
        Suggestion(name, delta, float(effect.share[i]), _number(effect.precision, i), _number(effect.recall, i))
        for i, (name, delta) in enumerate(thresholds.items())
    )


def anchor_steps(
    batch: Batch, anchor: int, config: ClippingConfig, *, temperature: float, epoch: float = math.inf
) -> AnchorSteps:
    """One anchor from its similarities to the force on each negative, without and with the rule."""
    n = len(batch.similarity)
    if not 0 <= anchor < n:
        raise ValueError(f"anchor is {anchor}; choose from 0 to {n - 1}")
    similarity = torch.tensor(batch.similarity)
    plain, clipped = clip(similarity, ClippingConfig(rule="none")), clip(similarity, config, epoch=epoch)
    other, positive = neighbours(batch, anchor, n), (anchor + n // 2) % n
    setting = {"anchor": anchor, "other": other, "temperature": temperature}
    return AnchorSteps(
        positive=positive,
        positive_similarity=float(batch.similarity[anchor, positive]),
        other=other,
        similarity=batch.similarity[anchor, other],
        false=None if batch.false is None else batch.false[anchor, other],
        clipped=clipped.mask[anchor].numpy()[other],
        level=float(clipped.level[anchor]),
        before=_forces(similarity, plain, **setting),
        after=_forces(similarity, clipped, **setting),
    )


def mean_loss(batch: Batch, config: ClippingConfig, *, temperature: float) -> float:
    """Contrastive loss of the batch in nats, past any warm-up."""
    similarity = torch.tensor(batch.similarity)
    return float(contrastive_loss(similarity, clip(similarity, config), temperature=temperature).mean())


def mean_level(batch: Batch, config: ClippingConfig) -> float:
    """Mean over anchors of the cosine at which a rule cuts; where it clips nothing of an anchor, at most 1."""
    return float(clip(torch.tensor(batch.similarity), config).level.mean())


def neighbours(batch: Batch, anchor: int, count: int) -> np.ndarray:
    """The `count` negatives most similar to an anchor, most similar first."""
    mask = negatives(len(batch.similarity)).numpy()[anchor]
    order = np.argsort(-np.where(mask, batch.similarity[anchor], -2), kind="stable")
    return order[: min(count, int(mask.sum()))]


def _forces(similarity: Tensor, clipped: Clipped, *, anchor: int, other: np.ndarray, temperature: float) -> Forces:
    similarity = similarity.clone().requires_grad_()
    losses = contrastive_loss(similarity, clipped, temperature=temperature)
    gradient = torch.autograd.grad(losses[anchor], similarity)[0][anchor].numpy()
    loss = losses[anchor].item()
    positive = (anchor + len(losses) // 2) % len(losses)
    if clipped.prior is not None:
        weight, positive_weight = temperature * gradient, math.exp(-loss)
    else:
        logits = attention_logits(similarity, clipped, temperature=temperature)
        weight = logits[anchor].softmax(0).detach().numpy()
        positive_weight = float(weight[positive])
    return Forces(loss, weight[other], positive_weight, gradient[other], float(gradient[positive]))


def _most_similar_pairs(similarity: np.ndarray, mask: np.ndarray, count: int) -> Pairs:
    """The `count` most similar pairs of the mask, each two images once."""
    b = len(mask) // 2
    anchor, other = np.nonzero(mask)
    values = similarity[anchor, other]
    if len(values) > (most := PAIRS_OF_VIEWS * count):
        border = np.partition(values, len(values) - most)[len(values) - most] if most else np.inf
        keep = values >= border
        anchor, other, values = anchor[keep], other[keep], values[keep]
    order = np.argsort(-values, kind="stable")
    anchor, other, values = anchor[order], other[order], values[order]
    images = np.sort(np.stack([anchor % b, other % b]), axis=0)
    first = np.sort(np.unique(images, axis=1, return_index=True)[1])[:count]
    return Pairs(anchor[first], other[first], values[first])


def _by_class(mask: np.ndarray, classes: np.ndarray) -> np.ndarray:
    b = len(classes)
    images = mask.reshape(2, b, 2, b).sum((0, 2), dtype=np.float32)  # [B, B], up to 4 pairs of views
    members = classes.astype(np.float32)
    return (members.T @ images @ members).round().astype(np.int64)


def _above(ordered: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return len(ordered) - np.searchsorted(ordered, thresholds, side="right")


def _number(values: np.ndarray | None, index: int) -> float | None:
    return None if values is None or np.isnan(values[index]) else float(values[index])
