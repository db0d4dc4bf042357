"""A fitted pipeline in a folder: pipeline.json, state.safetensors, index.faiss; nothing is pickled.

Each branch of a fusion has its own index. One that is not faiss's, as a plug-in may have, is built again from the
vectors in index.safetensors, where older folders have the codes of every index.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

import transclipped
from transclipped.config import DataConfig, from_dict
from transclipped.errors import InputError, cause
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.experiments.pipelines.source import VectorSource
from transclipped.experiments.pipelines.store import DiskStore
from transclipped.experiments.pipelines.trained import HeadIndex
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.retrieval import index_file
from transclipped.retrieval.chain import Chain, Store, chains, code_version, ranker
from transclipped.retrieval.checks import rows
from transclipped.retrieval.coding.projected import ProjectedIndex
from transclipped.retrieval.index import FlatIndex, PQIndex
from transclipped.retrieval.stages import Index, State
from transclipped.utils.files import read_json, write_json

RECORD, STATE, INDEX, ARRAYS = "pipeline.json", "state.safetensors", "index.faiss", "index.safetensors"
WIDEST = 2**16  # numbers of a vector that an index may hold


def save(pipeline: Pipeline, folder: Path) -> Path:
    """Write a fitted pipeline; the record goes first and comes last, so that a folder with one is complete.

    Raises:
        InputError: vectors are wider than `load` reads.
    """
    kinds = {prefix: _kind(chain) for prefix, chain in _named(pipeline) if _stored(chain.index) is not None}
    (folder / RECORD).unlink(missing_ok=True)
    states, arrays, indexes = {}, {}, {}
    for prefix, chain in _named(pipeline):
        for i, step in enumerate(chain.steps):
            states |= {f"{prefix}{i + 1}.{step.name}.{name}": a for name, a in chain.state(i).items()}
        if (index := _stored(chain.index)) is None:
            arrays[f"{prefix}vectors"] = chain.vectors(chain.coding - 1, "database")
        else:
            sha256 = index_file.write(index.faiss_index, folder / f"{prefix}{INDEX}")
            indexes[f"{prefix}{INDEX}"] = {**kinds[prefix], "sha256": sha256}
    record = {
        "pipeline": str(pipeline),
        **pipeline.source.about,
        "versions": {"transclipped": transclipped.__version__, "numpy": np.__version__},
        "code": {step.name: code_version(step.name) for _, chain in _named(pipeline) for step in chain.steps},
        "fingerprints": [chain.source.key(chain.features, "database") for _, chain in _named(pipeline)],
        "indexes": indexes,
    }
    for name, content in ((STATE, states), (ARRAYS, arrays)):
        if content or name == STATE:
            save_tensors(folder / name, {key: torch.from_numpy(np.array(array)) for key, array in content.items()})
    if not arrays:
        (folder / ARRAYS).unlink(missing_ok=True)  # of an older pipeline
    write_json(folder / RECORD, record)
    return folder


def load(folder: Path) -> Pipeline:
    """Read a pipeline; its data set must be the same as then."""
    record = read_json(folder / RECORD)
    if not isinstance(record, dict) or not isinstance(record.get("pipeline"), str):
        raise InputError(f"{folder / RECORD} names no pipeline; save it again")
    pipeline = Pipeline(record["pipeline"])
    states = _tensors(folder / STATE)
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
        own: dict[int, State] = {}
        for i, step in enumerate(chain.steps):
            start = f"{prefix}{i + 1}.{step.name}."
            own[i] = {name.removeprefix(start): a for name, a in states.items() if name.startswith(start)}
        chain.loaded = own, _index(chain, own[chain.coding], prefix, folder, record.get("indexes"))
    return pipeline


def _named(pipeline: Pipeline) -> list[tuple[str, Chain]]:
    """Branches with the prefix of their arrays, "" if there is one."""
    of = chains(pipeline.fitted)
    return [(f"branch{b + 1}." if len(of) > 1 else "", chain) for b, chain in enumerate(of)]


def _stored(index: Index) -> FlatIndex | PQIndex | None:
    """What a file of faiss can hold of an index, if anything."""
    if isinstance(index, ProjectedIndex):
        return index.codes
    return index if isinstance(index, HeadIndex) or (isinstance(index, FlatIndex) and index.m == 1) else None


def _kind(chain: Chain) -> dict[str, Any]:
    """What makes the index of no item: "floats", a "head", or "codes", and the width of the vectors before coding."""
    if isinstance(chain.index, HeadIndex):
        return {"kind": "head", "width": 0}
    floats = isinstance(chain.index, FlatIndex)
    width = (chain.index.embeddings if floats else chain.vectors(chain.coding - 1, "database")).shape[1]
    if width > WIDEST:
        raise InputError(f"vectors of {width:,} numbers cannot be saved; shorten them to {WIDEST:,}, as pca(512) does")
    return {"kind": "floats" if floats else "codes", "width": width}


def _index(chain: Chain, state: State, prefix: str, folder: Path, indexes: Any) -> Index:
    """The index of a branch, by what pipeline.json says of the files of faiss; nothing in older folders."""
    file = folder / f"{prefix}{INDEX}"
    entry = indexes.get(file.name) if isinstance(indexes, dict) else None
    path = folder / ARRAYS if entry is None else file
    try:
        if entry is not None:
            empty = _empty(chain, state, entry["kind"], entry["width"])
            codes = index_file.read(file, _stored(empty).faiss_index, sha256=entry["sha256"])
            return _filled(empty, codes.view(np.float32) if entry["kind"] == "floats" else codes)
        arrays = {name.removeprefix(prefix): a for name, a in _tensors(path).items() if name.startswith(prefix)}
        if "vectors" in arrays:
            return _coded(chain, state, arrays["vectors"])
        if (items := arrays.get("embeddings")) is not None:
            return _filled(_empty(chain, state, "floats", items.shape[1]), items)
        width = int(arrays["width"])
        return _filled(_empty(chain, state, "codes" if width else "head", width), arrays["codes"])
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not fit the pipeline ({cause(error)}); save it again") from error


def _empty(chain: Chain, state: State, kind: str, width: int) -> Index:
    """The index of no item."""
    nothing = np.zeros((0, width if 0 <= width <= WIDEST else -1), np.float32)
    if kind == "floats":
        return FlatIndex(nothing, codebooks=1)
    if kind == "head":
        if not {"weight", "bias", "codebooks"} <= state.keys():
            raise KeyError("weight")
        return HeadIndex(state, np.zeros((0, len(state["codebooks"])), np.uint8))
    return _coded(chain, state, nothing)


def _filled(empty: Index, items: np.ndarray) -> Index:
    """An index of items by their codes `[N, M]`, or by their numbers `[N, D]`."""
    if isinstance(empty, FlatIndex):
        return FlatIndex(rows(items), codebooks=1)
    return HeadIndex(empty.state, items) if isinstance(empty, HeadIndex) else empty.with_codes(items)


def _coded(chain: Chain, state: State, vectors: np.ndarray) -> Index:
    step = chain.steps[chain.coding]
    return step.stage.function(vectors, *((state,) if step.stage.fit is not None else ()), **dict(step.options))


def _tensors(path: Path) -> State:
    return {name: tensor.numpy() for name, tensor in load_tensors(path).items()}
