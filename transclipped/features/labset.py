"""The lab set: embeddings of 6,000 images in 4 MB, on which a head trains in seconds.

5,000 training images of CIFAR-10 (I) in three views (plain, flipped, augmented) and 1,000 queries, embedded once by a
frozen backbone and rounded to 8 bits: an embedding is scale · integers in [−127, 127]. A head normalises its input, so
the scale does not affect it. `lab_config` is the configuration of a head; `train` with it does the same from images,
except for the rounding.

    labset.safetensors   views [V, N, F] int8 · queries [Q, F] int8 · their scales f16 · rows, query_rows ·
                         labels, query_labels (for analysis and evaluation only)
    heads.safetensors    heads trained on it, so that the lab needs no run
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from transclipped.config import BackboneConfig, ClippingConfig, DataConfig, LossConfig, RunConfig, ScheduleConfig
from transclipped.errors import InputError, cause
from transclipped.models.head import Head, head_from_state
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.utils.files import ASSETS

FOLDER = ASSETS / "lab"
FILE, HEADS = "labset.safetensors", "heads.safetensors"
DATA = DataConfig(dataset="cifar10", protocol="I", database_limit=5000, query_limit=1000)
VIEWS = 3
EPOCHS = 32  # of 19 steps
K = 500  # of mAP@K: a tenth of the database
WIDTH = 256  # numbers per embedding; longer ones are projected
LARGEST = 127  # of signed 8 bits
STAGES = {  # stored heads: rule and epoch
    "trained with clipping (adaptive)": ("adaptive", EPOCHS),
    "trained without clipping": ("none", EPOCHS),
    "after 1 epoch": ("adaptive", 1),
    "after 4 epochs": ("adaptive", 4),
}


@dataclass(frozen=True)
class LabSet:
    """Embeddings in 8 bits, with their origin. View 0 is plain and serves as the database."""

    views: np.ndarray  # [V, N, F] int8
    view_scales: np.ndarray  # [V, N] float16
    queries: np.ndarray  # [Q, F] int8
    query_scales: np.ndarray  # [Q] float16
    rows: np.ndarray  # [N] int64, rows of the image set `DATA`
    query_rows: np.ndarray  # [Q] int64
    labels: np.ndarray  # [N] int64
    query_labels: np.ndarray  # [Q] int64
    about: dict[str, Any]  # backbone, image_size, fingerprint (of its weights), projected (to F), class_names

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        return self.views.shape[-1]

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(self.about["class_names"])

    @cached_property
    def features(self) -> list[np.ndarray]:
        """The views as embeddings, V times `[N, F]` float16."""
        return [from_int8(*pair) for pair in zip(self.views, self.view_scales, strict=True)]

    @cached_property
    def query_features(self) -> np.ndarray:
        """`[Q, F]` float16."""
        return from_int8(self.queries, self.query_scales)


def lab_config(lab: LabSet, *, clipping: ClippingConfig, temperature: float, seed: int = 0) -> RunConfig:
    """Configuration of a head on the lab set: 608 steps of 256 images, M = 4, D = 64, K = 256, AdamW at 3e-3."""
    return RunConfig(
        data=replace(DATA, database_limit=len(lab), query_limit=len(lab.query_rows)),
        backbone=BackboneConfig(name=lab.about["backbone"], image_size=lab.about["image_size"]),
        clipping=clipping,
        loss=LossConfig(temperature=temperature),
        schedule=ScheduleConfig(epochs=EPOCHS, batch=256, lr=3e-3, views=len(lab.views)),
        seed=seed,
        k=min(K, len(lab)),
    )


def save(folder: Path, lab: LabSet) -> None:
    """Write labset.safetensors, atomically."""
    small = {"rows": np.int32, "query_rows": np.int32, "labels": np.uint8, "query_labels": np.uint8}
    arrays = {field.name: getattr(lab, field.name) for field in fields(lab) if field.name != "about"}
    tensors = {name: torch.from_numpy(np.asarray(value, small.get(name))) for name, value in arrays.items()}
    save_tensors(folder / FILE, tensors, metadata={"about": json.dumps(lab.about)})


def load(folder: Path = FOLDER) -> LabSet:
    """Read and check labset.safetensors."""
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{path} is missing; `python -m transclipped lab build` creates it")
    arrays = {name: tensor.numpy() for name, tensor in load_tensors(path).items()}
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads(file.metadata()["about"])
        for name in ("rows", "query_rows", "labels", "query_labels"):
            arrays[name] = arrays[name].astype(np.int64)
        lab = LabSet(**arrays, about=about)
        (v, n, f), q = lab.views.shape, len(lab.query_rows)
        lengths = [len(array) for array in (lab.rows, lab.labels, lab.query_scales, lab.query_labels)]
        fits = (lab.view_scales.shape, lab.queries.shape, lengths) == ((v, n), (q, f), [n, n, q, q])
        fits &= {"backbone", "image_size", "fingerprint", "projected", "class_names"} <= about.keys()
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a lab set ({cause(error)}); build it again with `lab build`") from error
    if not fits:
        raise InputError(f"{path} holds arrays of inconsistent shapes; build it again with `lab build`")
    return lab


def save_heads(folder: Path, heads: dict[str, Head]) -> None:
    """Heads by name, in float16."""
    tensors = {
        f"{name}/{key}": tensor.half() for name, head in heads.items() for key, tensor in head.state_dict().items()
    }
    save_tensors(folder / HEADS, tensors)


def load_head(lab: LabSet, name: str, folder: Path = FOLDER) -> Head:
    """A stored head; InputError if there is none of this name, or it belongs to another lab set."""
    path = folder / HEADS
    tensors = load_tensors(path)
    state = {key.partition("/")[2]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}/")}
    if not state:
        names = ", ".join(sorted({key.partition("/")[0] for key in tensors}))
        raise InputError(f"{path} has no head {name!r}; choose from {names}")
    quantizer = lab_config(lab, clipping=ClippingConfig(), temperature=0.3).quantizer
    head = head_from_state(state, quantizer, source=str(path))
    if head.projection.in_features != lab.width:
        raise InputError(f"{path} belongs to another lab set; build both again with `lab build`")
    return head


def to_int8(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """8-bit numbers `[…, F]` int8 and scales `[…]` float16, so that values ≈ scale · numbers, row by row."""
    scale = (np.abs(values).max(-1) / LARGEST).astype(np.float16)
    scale = np.maximum(scale, np.float16(6e-5))  # for a row of zeros; smaller float16 are imprecise
    numbers = np.rint(values / scale[..., None].astype(np.float32)).clip(-LARGEST, LARGEST)
    return numbers.astype(np.int8), scale


def from_int8(numbers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Inverse of `to_int8` except for rounding, `[…, F]` float16."""
    return (numbers.astype(np.float32) * scales[..., None].astype(np.float32)).astype(np.float16)
