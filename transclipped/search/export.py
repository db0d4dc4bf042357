"""Export for other programs: codes and embeddings as parquet, the index for faiss, the encoder as ONNX.

    codes       id, code [M] bytes, label                      one row per database item
    embeddings  id, role, embedding [D or F], label            database and queries; `--dataset embeddings` reads it
    faiss       IndexPQ by inner product, its scores M times ours, and beside it <name>.ids.parquet: row → id
    onnx        images [B, 3, S, S], normalised → embedding [B, D], code [B, M]; beside it <name>.json describes it

faiss returns ties in any order; ours are ordered by row.
"""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transclipped.config import IDENTITY
from transclipped.errors import InputError
from transclipped.features.cache import Progress
from transclipped.models.backbone import Backbone
from transclipped.models.head import Head, embed_in_batches
from transclipped.models.quantizer import nearest
from transclipped.runs.run import RunDir
from transclipped.runs.session import prepare_run, trained_model
from transclipped.search.searcher import Searcher, label_names
from transclipped.utils.files import replacing, write_json

ENDINGS = (".faiss", ".index", ".onnx", ".parquet", ".bin")
ONNX_PACKAGES = ("onnx", "onnxscript")
LAYERS = ("continuous", "backbone")
TOLERANCE = 1e-3  # cosine distance between the outputs of ONNX and torch
MAX_WEIGHTS = 1_500_000_000  # bytes; above it torch writes a second file


class Encoder(nn.Module):
    """Backbone and head as one network: `[B, 3, S, S]` to embedding `[B, D]` and code `[B, M]`."""

    def __init__(self, backbone: Backbone, head: Head) -> None:
        super().__init__()
        self.network, self.head = backbone.network, head
        self.register_buffer("codewords", head.quantizer.codewords().detach())

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        x = F.normalize(self.head.project(self.network(pixels)), dim=-1)
        return x.flatten(1), nearest(x, self.codewords)


def codes(searcher: Searcher, out: Path) -> dict[str, Any]:
    """Write a database's ids, codes and labels as parquet; returns a summary."""
    stored = searcher.stored
    m = stored.codes.shape[1]
    columns = {"id": pa.array(stored.database_ids), "code": pa.FixedSizeListArray.from_arrays(stored.codes.ravel(), m)}
    columns |= _labels(stored.database_labels, searcher.class_names)
    about = {"transclipped": "codes", "codebooks": [*stored.codebooks.shape], "run": str(searcher.run.path)}
    _write(out, columns, about)
    return {"out": str(out), "items": len(stored.codes), "bytes_per_item": m}


def index(searcher: Searcher, out: Path) -> dict[str, Any]:
    """Write the index for plain faiss, and the ids of its rows beside it; returns a summary."""
    with replacing(out) as temporary:
        try:
            faiss.write_index(searcher.index.faiss_index, str(temporary))
        except RuntimeError as error:  # faiss raises nothing more specific
            raise InputError(f"cannot write {out}; free some space or choose another folder") from error
    ids = _beside(out, ".ids.parquet")
    _write(ids, {"id": pa.array(searcher.stored.database_ids)}, {"transclipped": "ids of the rows of " + out.name})
    m = len(searcher.stored.codebooks)
    return {"out": str(out), "ids": str(ids), "items": searcher.index.n, "score_is_faiss_score_divided_by": m}


def embeddings(run: RunDir, out: Path, *, layer: str = "continuous", device: str = "cpu") -> Iterator[Progress]:
    """Write the embeddings of a run's database and queries as parquet.

    Args:
        layer: "continuous" `[D]`, the input of the quantizer, or "backbone" `[F]`, the input of the head.

    Raises:
        InputError: the run trained its backbone, so its embeddings are not stored.
    """
    if layer not in LAYERS:
        raise InputError(f"layer is {layer!r}; choose {' or '.join(LAYERS)}")
    session = prepare_run(run, device=device)
    if not session.frozen:
        raise InputError(f"{run.path} trained its backbone and stores no embeddings; `encode` its images instead")
    split, images = session.split, session.images
    roles = {"database": split.database, "query": split.query}
    yield from session.cache.fill(0, np.concatenate([*roles.values()]), device=device)
    roles = {role: images.readable(part) for role, part in roles.items()}
    rows = np.concatenate([*roles.values()])
    vectors = session.cache.view(0)[rows]
    if layer == "continuous":
        vectors = embed_in_batches(trained_model(run, backbone=session.backbone)[1].cpu(), vectors)[0].numpy()
    flat = np.ascontiguousarray(vectors, np.float32)
    columns = {
        "id": pa.array(images.ids[rows]),
        "role": pa.array(np.repeat([*roles], [len(part) for part in roles.values()])),
        "embedding": pa.FixedSizeListArray.from_arrays(flat.ravel(), flat.shape[1]),
    }
    columns |= _labels(None if images.labels is None else images.labels[rows], list(images.class_names))
    _write(out, columns, {"transclipped": f"{layer} embeddings", "run": str(run.path)})


def onnx(run: RunDir, out: Path) -> dict[str, Any]:
    """Write the encoder as ONNX for any batch size, compared with torch if onnxruntime is installed.

    Raises:
        InputError: packages are missing, the weights are too large, or the network cannot be written as ONNX.
    """
    if missing := [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]:
        raise InputError(
            f"export as ONNX needs the package{'s' * (len(missing) > 1)} {' and '.join(missing)}: "
            f"`pip install {' '.join(ONNX_PACKAGES)}`, and onnxruntime to check the file"
        )
    backbone, head = trained_model(run, default_size=run.record.get("image_size"))
    encoder = Encoder(backbone, head).eval()
    weights = sum(tensor.nbytes for tensor in encoder.state_dict().values())
    if weights > MAX_WEIGHTS:
        raise InputError(
            f"{backbone.name} has {weights / 1e9:.1f} GB of weights; an ONNX file holds at most "
            f"{MAX_WEIGHTS / 1e9:.1f} GB; choose a smaller backbone"
        )
    example = example_input(backbone)
    dynamic = {"pixels": {0: torch.export.Dim("batch", min=1)}}
    names = {"input_names": ["pixels"], "output_names": ["embedding", "code"]}
    try:
        with torch.inference_mode(False), torch.no_grad():
            program = torch.onnx.export(  # not verbose: standard output is for results
                encoder, (example,), dynamo=True, dynamic_shapes=dynamic, verbose=False, **names
            )
        with replacing(out) as temporary:
            program.save(str(temporary))
    except InputError:
        raise
    except Exception as error:  # the exporter raises many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{backbone.name} cannot be written as ONNX ({reason}); choose another backbone") from error
    about = _beside(out, ".json")
    write_json(about, _preprocessing(backbone, run))
    return {"out": str(out), "preprocessing": str(about), "checked": _checked(out, encoder, example)}


def example_input(backbone: Backbone) -> Tensor:
    """Two inputs of a backbone, seeded noise: `[2, 3, S, S]`, or `[2, F]` for imported embeddings."""
    size = backbone.image_size
    shape = (2, size) if backbone.name == IDENTITY else (2, 3, size, size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _checked(path: Path, encoder: Encoder, example: Tensor) -> bool:
    """Whether the file was checked; InputError if its output differs from torch's."""
    if importlib.util.find_spec("onnxruntime") is None:
        return False
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    output = torch.from_numpy(session.run(["embedding"], {"pixels": example.numpy()})[0])
    with torch.inference_mode():
        distance = 1 - F.cosine_similarity(output, encoder(example)[0]).min().item()
    if not distance <= TOLERANCE:
        raise InputError(f"{path} returns other embeddings than torch (cosine distance {distance:.3g}); do not use it")
    return True


def _preprocessing(backbone: Backbone, run: RunDir) -> dict[str, Any]:
    native_size, fit = run.record.get("native_size"), "largest centre square, resized"
    if backbone.framed and native_size is None:
        fit = "padded with zeros or cut around the centre"
    return {
        "input": f"pixels, float32: (c / 255 - mean) / std of RGB, channels first; {fit}",
        "image_size": backbone.image_size,
        "native_size": native_size,
        "centre": run.record.get("centre"),
        "mean": list(backbone.mean),
        "std": list(backbone.std),
        "output": {"embedding": "M sub-vectors of unit length, [B, D]", "code": "[B, M], 0 to K - 1"},
        "codebooks": [*run.head().shape],
        "backbone": backbone.name,
    }


def _beside(out: Path, ending: str) -> Path:
    """Path beside `out` with another ending; unknown endings are kept, as `set.2023` and `set.2024` differ."""
    stem = out.stem if out.suffix.lower() in ENDINGS else out.name
    return out.with_name(stem + ending)


def _labels(labels: np.ndarray | None, names: list[str]) -> dict[str, pa.Array]:
    """Column `label`: a name, or a list of names in multi-label data; null for none."""
    if labels is None:
        return {}
    names_of = [label_names(labels, row, names) for row in range(len(labels))]
    if labels.ndim == 2:
        return {"label": pa.array(names_of, pa.list_(pa.string()))}
    return {"label": pa.array([first[0] if first else None for first in names_of], pa.string())}


def _write(out: Path, columns: dict[str, pa.Array], about: dict[str, Any]) -> None:
    table = pa.table(columns)
    with replacing(out) as temporary:
        pq.write_table(table.replace_schema_metadata({k: json.dumps(v) for k, v in about.items()}), temporary)
