"""Codes of trained heads: `run:NAME`, a run as it is, and `clipped`, a head trained on the vectors that reach it.

A head maps a vector x to M unit sub-vectors, the parts of W √F x/‖x‖ + b, and each is coded by the codeword of the
largest inner product. Of a stored run, codes are bytes and queries float16, which pass unchanged.
"""

from __future__ import annotations

import numpy as np
import torch

from transclipped.clipping import RULES, with_amount
from transclipped.config import ClippingConfig, LossConfig, QuantizerConfig, RunConfig, ScheduleConfig
from transclipped.datasets.protocols import LEAST
from transclipped.errors import InputError
from transclipped.models.head import Head, load_head
from transclipped.retrieval.checks import same_width
from transclipped.retrieval.coding.product import encode
from transclipped.retrieval.index import PQIndex
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.vectors import unit
from transclipped.runs.opened import directory_of
from transclipped.training.defaults import default_batch
from transclipped.training.sources import CachedViews
from transclipped.training.threads import on_fastest_threads
from transclipped.training.trainer import Trainer

EPOCHS, STEPS = 4, 600  # a training has at least, by default
SIGMA = 2.5  # c of `adaptive`


class HeadIndex(PQIndex):
    """An index whose queries pass through a head.

    Args:
        state: `weight` `[D, F]`, `bias` `[D]` and `codebooks` `[M, K, d]` of unit codewords.
        vectors: `[N, F]` of the items, or their codes `[N, M]` uint8.
    """

    def __init__(self, state: State, vectors: np.ndarray) -> None:
        self.state = state
        stored = vectors.dtype == np.uint8
        super().__init__(state["codebooks"], vectors if stored else encode(state["codebooks"], self.embed(vectors)))

    def embed(self, vectors: np.ndarray) -> np.ndarray:
        if vectors.dtype == np.float16:
            return vectors.astype(np.float32)
        weight, m = self.state["weight"], len(self.state["codebooks"])
        same_width("the head", weight.shape[1], vectors.shape[1])
        x = unit(vectors) * np.float32(weight.shape[1] ** 0.5) @ weight.T + self.state["bias"]
        return np.asarray(unit(x.reshape(len(x), m, -1)), np.float32).reshape(len(x), -1)


def state_of(head: Head) -> State:
    """Arrays of a head."""
    with torch.no_grad():
        arrays = {"weight": head.projection.weight, "bias": head.projection.bias}
        arrays["codebooks"] = head.quantizer.codewords()
        return {name: tensor.float().cpu().numpy().copy() for name, tensor in arrays.items()}


def fit_run(vectors: np.ndarray, *, name: str) -> State:
    """The head of a run; the vectors are not used."""
    run = directory_of(name)
    return state_of(load_head(run.path / "model.safetensors", run.config.quantizer))


@stage(
    "run",
    kind="coding",
    idea="A trained run as it is: its head and its codebooks.",
    formula="score = Σ_m ⟨q_m, c_{m,k_m}⟩ / M, q = head(x)",
    source="this project",
    fit=fit_run,
)
def run(vectors: np.ndarray, state: State, *, name: str) -> HeadIndex:
    return HeadIndex(state, vectors)


def fit_clipped(
    vectors: np.ndarray,
    *,
    bits: int = 32,
    rule: str = "adaptive",
    amount: float | None = None,
    temperature: float = 0.2,
    epochs: int = 0,
    views: np.ndarray,
    batch: int = 256,
    seed: int = 0,
    dim: int = 64,
) -> State:
    """A head trained on two of the views `[V, n, F]` of each vector."""
    n = views.shape[1]
    if n < LEAST:
        raise InputError(f"clipped learns from pairs of images, but there are {n}; use at least {LEAST}")
    batch = default_batch(n, most=batch)
    epochs = epochs or max(EPOCHS, -(-STEPS // (n // batch)))
    config = RunConfig(
        quantizer=QuantizerConfig(bits=bits, dim=dim),
        clipping=_clipping(rule, amount),
        loss=LossConfig(temperature=temperature),
        schedule=ScheduleConfig(epochs=epochs, batch=batch, views=len(views)),
        seed=seed,
    )
    source = CachedViews([np.ascontiguousarray(view, np.float32) for view in views], np.arange(n), seed=seed)
    head = Head.from_config(views.shape[2], config.quantizer, generator=torch.Generator().manual_seed(seed))
    for _ in on_fastest_threads(Trainer(head, source, config, log_codes=False).events()):
        pass
    return state_of(head.eval())


def _clipping(rule: str, amount: float | None) -> ClippingConfig:
    """A rule at an amount, by default the rule's own, or c = 2.5 of `adaptive`."""
    if amount is not None and RULES[rule].amount is None:
        raise InputError(f"clipped(rule={rule}) has no amount; leave it out")
    return with_amount(rule, SIGMA if amount is None and rule == "adaptive" else amount)


@stage(
    "clipped",
    kind="coding",
    idea="Train a head on these vectors with contrastive quantization, clipping likely false negatives.",
    formula="ℓ_i = −log e^{s_i⁺/τ} / (e^{s_i⁺/τ} + Σ_{j not clipped} e^{s_ij/τ})",
    source="this project, after arXiv 2109.05205",
    fit=fit_clipped,
    needs=("views",),
    bounds={
        "bits": (8, 1024),
        "amount": (-1, 1000),
        "temperature": (0.01, 100),
        "epochs": (0, 10_000),
        "views": (2, 100),
        "batch": (2, 65_536),
        "seed": (0, 2**32 - 1),
        "dim": (1, 8192),
    },
)
def clipped(
    vectors: np.ndarray,
    state: State,
    *,
    bits: int = 32,
    rule: str = "adaptive",
    amount: float | None = None,
    temperature: float = 0.2,
    epochs: int = 0,
    views: int = 4,
    batch: int = 256,
    seed: int = 0,
    dim: int = 64,
) -> HeadIndex:
    return HeadIndex(state, vectors)
