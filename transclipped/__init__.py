"""TransClipped: unsupervised image retrieval with clipped contrastive quantization.

    import transclipped as tc

    run = tc.train(dataset="cifar10", bits=32, rule="adaptive", epochs=6, out="runs/demo")
    hits = tc.Searcher(run).search("cat.jpg", top=10)

Importing the package is fast: each name below, with torch, timm or faiss, is imported on first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # the names of `_NAMES` for editors and type checkers
    from transclipped.clipping import clip as clip
    from transclipped.datasets.registry import load_dataset as load_dataset
    from transclipped.experiments.lab.api import Lab as Lab
    from transclipped.experiments.pipelines.pipeline import Pipeline as Pipeline
    from transclipped.losses import ClippedNTXentLoss as ClippedNTXentLoss
    from transclipped.models.backbone import load_backbone as load_backbone
    from transclipped.models.head import Head as Head
    from transclipped.models.quantizer import ProductQuantizer as ProductQuantizer
    from transclipped.plugins import register_rule as register_rule
    from transclipped.retrieval.index import FlatIndex as FlatIndex
    from transclipped.retrieval.index import PQIndex as PQIndex
    from transclipped.retrieval.metrics import mean_average_precision as mean_average_precision
    from transclipped.runs.opened import Run as Run
    from transclipped.search.searcher import Searcher as Searcher
    from transclipped.training.api import train as train

_NAMES = {  # name: module and attribute
    "ClippedNTXentLoss": "losses:ClippedNTXentLoss",
    "FlatIndex": "retrieval.index:FlatIndex",
    "Head": "models.head:Head",
    "Lab": "experiments.lab.api:Lab",
    "PQIndex": "retrieval.index:PQIndex",
    "Pipeline": "experiments.pipelines.pipeline:Pipeline",
    "ProductQuantizer": "models.quantizer:ProductQuantizer",
    "Run": "runs.opened:Run",
    "Searcher": "search.searcher:Searcher",
    "clip": "clipping:clip",
    "load_backbone": "models.backbone:load_backbone",
    "load_dataset": "datasets.registry:load_dataset",
    "mean_average_precision": "retrieval.metrics:mean_average_precision",
    "register_rule": "plugins:register_rule",
    "train": "training.api:train",
}
__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _NAMES[name].partition(":")
    value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
