"""Weights on disk: safetensors, or torch files of plain tensors; never unpickles code."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from transclipped.errors import InputError, cause
from transclipped.models.tensor_header import read_header
from transclipped.utils.files import replacing

TABLES = (  # keys of the state dict within a checkpoint, in order of preference
    "state_dict model_state_dict teacher model_ema ema ema_state_dict model network net backbone encoder module student"
)
WRAPPERS = ("module", "model", "teacher", "student", "ema", "backbone", "encoder", "network", "net", "_orig_mod")


def load_tensors(path: str | Path, *, only: Collection[str] | None = None) -> dict[str, Tensor]:
    """Tensors of a file by name, on the CPU.

    Args:
        only: names of the tensors to read; missing ones are omitted.

    Raises:
        InputError: the file is missing, damaged, or holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"weights file {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            names = [name for name in read_header(path) if only is None or name in only]
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in names}
        state = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:  # the header's
        raise
    except Exception as error:  # torch raises many types for other files
        raise InputError(
            f"{path} is damaged or not a file of plain tensors ({cause(error)}); get a new copy"
        ) from error
    state = _innermost(state)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} is not a table of named tensors; save the model's state_dict() and use that")
    return state if only is None else {name: value for name, value in state.items() if name in only}


def without_wrapper(state: dict[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Tensors without a prefix that training added to the network's `names`: `module.backbone.conv.weight`."""
    names = set(names)
    matches = Counter({"": len(names & state.keys())})  # by prefix
    for name in state:
        parts = name.split(".")
        ends = ((".".join(parts[:i]) + ".", ".".join(parts[i:])) for i in range(1, len(parts)))
        matches.update(prefix for prefix, end in ends if end in names)
    prefix = max(matches, key=lambda prefix: (matches[prefix], "student" not in prefix, -len(prefix)))
    if not matches[prefix]:  # names of another library
        columns = zip(*(name.split(".") for name in state))  # noqa: B905 - up to the shortest name
        common = itertools.takewhile(lambda column: len(set(column)) == 1, columns)
        prefix = "".join(f"{part}." for part, *_ in common if part in WRAPPERS)
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _innermost(state: Any) -> Any:
    """The state dict in a checkpoint, which may also hold epochs, optimizers and other networks."""
    while isinstance(state, dict) and not all(isinstance(value, Tensor) for value in state.values()):
        tables = (state[name] for name in TABLES.split() if isinstance(state.get(name), dict))
        inner = next((table for table in tables if table), None)
        if inner is None:
            break
        state = inner
    return state


def save_tensors(path: Path, tensors: dict[str, Tensor], *, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, atomically."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # the usual one; safetensors makes files readable by the owner only
        try:
            save_file(contiguous, temporary, metadata=metadata)
            temporary.chmod(mode)
        except SafetensorError as error:  # such as a full disk
            raise InputError(f"cannot write {path}: {error}; free some space or choose another folder") from error
