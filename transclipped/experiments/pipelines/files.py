"""A fitted pipeline in a folder: pipeline.json, state.safetensors, index.safetensors; nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

import transclipped
from transclipped.config import DataConfig, from_dict
from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.experiments.pipelines.source import VectorSource
from transclipped.experiments.pipelines.store import DiskStore
from transclipped.experiments.pipelines.trained import HeadIndex
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.retrieval.chain import Chain, Store, chains, code_version, ranker
from transclipped.retrieval.coding.projected import ProjectedIndex
from transclipped.retrieval.index import FlatIndex, PQIndex
from transclipped.retrieval.stages import Index, State
from transclipped.utils.files import read_json, write_json

RECORD, STATE, INDEX = "pipeline.json", "state.safetensors", "index.safetensors"


def save(pipeline: Pipeline, folder: Path) -> Path:
    """Write a fitted pipeline; the record comes last, so that a folder with one is complete."""
    states, indexes = {}, {}
    for prefix, chain in _named(pipeline):
        for i, step in enumerate(chain.steps):
            states |= {f"{prefix}{i + 1}.{step.name}.{name}": a for name, a in chain.state(i).items()}
        indexes |= {f"{prefix}{name}": array for name, array in _arrays(chain).items()}
    record = {
        "pipeline": str(pipeline),
        **pipeline.source.about,
        "versions": {"transclipped": transclipped.__version__, "numpy": np.__version__},
        "code": {step.name: code_version(step.name) for _, chain in _named(pipeline) for step in chain.steps},
        "fingerprints": [chain.source.key(chain.features, "database") for _, chain in _named(pipeline)],
    }
    for name, arrays in ((STATE, states), (INDEX, indexes)):
        tensors = {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}
        save_tensors(folder / name, tensors)
    write_json(folder / RECORD, record)
    return folder


def load(folder: Path) -> Pipeline:
    """Read a pipeline; its data set must be the same as then."""
    record = read_json(folder / RECORD)
    if not isinstance(record, dict) or not isinstance(record.get("pipeline"), str):
        raise InputError(f"{folder / RECORD} names no pipeline; save it again")
    pipeline = Pipeline(record["pipeline"])
    states, indexes = (_tensors(folder / name) for name in (STATE, INDEX))
    if isinstance(record.get("data"), dict):
        pipeline.source = pipeline._source(from_dict(DataConfig, record["data"]), record.get("validation", 0))
        store: Store = DiskStore()
    else:
        pipeline.source, store = VectorSource(np.zeros((0, 1), np.float32)), Store()
    pipeline.ranker = ranker(pipeline.line, pipeline.source, store)
    keys = [chain.source.key(chain.features, "database") for _, chain in _named(pipeline)]
    if not isinstance(pipeline.source, VectorSource) and record.get("fingerprints") != keys:
        raise InputError(f"the images of {folder} or their backbone have changed; fit the pipeline again")
    for prefix, chain in _named(pipeline):
        _restore(chain, prefix, states, indexes, folder)
    return pipeline


def _restore(chain: Chain, prefix: str, states: State, indexes: State, folder: Path) -> None:
    own: dict[int, State] = {}
    for i, step in enumerate(chain.steps):
        start = f"{prefix}{i + 1}.{step.name}."
        own[i] = {name.removeprefix(start): a for name, a in states.items() if name.startswith(start)}
    arrays = {name.removeprefix(prefix): array for name, array in indexes.items() if name.startswith(prefix)}
    try:
        chain.loaded = own, _index(chain, own[chain.coding], arrays)
    except (KeyError, ValueError) as error:
        raise InputError(f"{folder / INDEX} does not fit the pipeline ({error}); save it again") from error


def _named(pipeline: Pipeline) -> list[tuple[str, Chain]]:
    """Branches with the prefix of their arrays, "" if there is one."""
    of = chains(pipeline.fitted)
    return [(f"branch{b + 1}." if len(of) > 1 else "", chain) for b, chain in enumerate(of)]


def _arrays(chain: Chain) -> dict[str, Any]:
    """What rebuilds an index: codes where there are any, else the vectors before coding."""
    index: Any = chain.index
    if isinstance(index, FlatIndex):
        return {"embeddings": index.embeddings}
    inner = index.codes if isinstance(index, ProjectedIndex) else index
    if isinstance(inner, PQIndex):
        width = 0 if isinstance(index, HeadIndex) else chain.vectors(chain.coding - 1, "database").shape[1]
        return {"codes": inner.codes, "width": np.array(width)}
    return {"vectors": chain.vectors(chain.coding - 1, "database")}


def _index(chain: Chain, state: State, arrays: State) -> Index:
    if "embeddings" in arrays:
        return FlatIndex(arrays["embeddings"], codebooks=1)
    step = chain.steps[chain.coding]
    learned = (state,) if step.stage.fit is not None else ()
    if "vectors" in arrays:
        return step.stage.function(arrays["vectors"], *learned, **dict(step.options))
    if not int(arrays["width"]):
        return HeadIndex(state, arrays["codes"])
    empty = step.stage.function(np.zeros((0, int(arrays["width"])), np.float32), *learned, **dict(step.options))
    return empty.with_codes(arrays["codes"])


def _tensors(path: Path) -> State:
    return {name: tensor.numpy() for name, tensor in load_tensors(path).items()}
