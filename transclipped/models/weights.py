"""Weights on disk: safetensors, or a torch file of plain tensors; nothing that unpickles code."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from transclipped.errors import InputError, cause
from transclipped.files import replacing


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a file by name, on the CPU.

    Raises:
        InputError: the file is missing, damaged, or holds more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"weights file {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for what is no file of its own
        raise InputError(
            f"{path} is damaged or no file of plain tensors ({cause(error)}); fetch or make it again"
        ) from error
    state = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} is not a table of named tensors; save the model's state_dict() and use that")
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
