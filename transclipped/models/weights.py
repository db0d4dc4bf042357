"""Weights on disk: safetensors, or a torch file of plain tensors; nothing that unpickles code."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from transclipped.errors import InputError, cause
from transclipped.files import replacing
from transclipped.models.tensor_header import read_header


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
    state = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} is not a table of named tensors; save the model's state_dict() and use that")
    return state if only is None else {name: value for name, value in state.items() if name in only}


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
