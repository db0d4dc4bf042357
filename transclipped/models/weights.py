"""Weights on disk: safetensors, or a torch file of plain tensors; nothing that unpickles code."""

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

TABLES = (  # names of the table of tensors within a checkpoint, the better one first
    "state_dict", "model_state_dict", "teacher", "model_ema", "ema", "ema_state_dict", "model", "network", "net",
    "backbone", "encoder", "module", "student",
)  # fmt: skip
WRAPPERS = ("module", "model", "teacher", "student", "ema", "backbone", "encoder", "network", "net", "_orig_mod")


def load_tensors(path: str | Path, *, only: Collection[str] | None = None) -> dict[str, Tensor]:
    """Tensors of a file by name, on the CPU.

    Args:
        only: names of those that are wanted; others are not read, and missing ones are left out.

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
    except Exception as error:  # torch raises many kinds for what is no file of its own
        raise InputError(
            f"{path} is damaged or no file of plain tensors ({cause(error)}); fetch or make it again"
        ) from error
    state = _innermost(state)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} is not a table of named tensors; save the model's state_dict() and use that")
    return state if only is None else {name: value for name, value in state.items() if name in only}


def without_wrapper(state: dict[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """Tensors under the names that a network has, where training wrapped it in others: `module.backbone.conv.weight`.

    Args:
        wanted: the network's own names.
    """
    wanted = set(wanted)
    fitting = Counter({"": len(wanted & state.keys())})
    for name in state:
        parts = name.split(".")
        ends = ((".".join(parts[:i]) + ".", ".".join(parts[i:])) for i in range(1, len(parts)))
        fitting.update(prefix for prefix, end in ends if end in wanted)
    prefix = max(fitting, key=lambda prefix: (fitting[prefix], "student" not in prefix, -len(prefix)))
    if not fitting[prefix]:  # names of another library
        prefix = "".join(part + "." for part in _shared(state) if part in WRAPPERS)
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _shared(names: Iterable[str]) -> list[str]:
    """The parts that all names begin with."""
    parts = zip(*(name.split(".") for name in names))  # noqa: B905 - to the end of the shortest
    return [part[0] for part in itertools.takewhile(lambda part: len(set(part)) == 1, parts)]


def _innermost(state: Any) -> Any:
    """The table of tensors inside of a checkpoint, which holds epochs, optimizers and other networks besides."""
    while isinstance(state, dict) and not all(isinstance(value, Tensor) for value in state.values()):
        inner = next((state[name] for name in TABLES if isinstance(state.get(name), dict) and state[name]), None)
        if inner is None:
            break
        state = inner
    return state


def save_tensors(path: Path, tensors: dict[str, Tensor], *, metadata: dict[str, str] | None = None) -> None:
    """safetensors file, replaced atomically."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # as of any other file; safetensors would let the owner alone read it
        try:
            save_file(whole, temporary, metadata=metadata)
            temporary.chmod(mode)
        except SafetensorError as error:  # a full disk arrives as this
            raise InputError(f"cannot write {path}: {error}; free some space or choose another folder") from error
