"""A training's state as a flat dictionary of tensors, so that it can be stored without unpickling anything."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transclipped.errors import InputError


def packed(model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> dict[str, Tensor]:
    """Copies of model, optimizer and step as a flat dictionary of tensors."""
    state = {f"model.{name}": tensor.detach().clone() for name, tensor in model.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if value is not None:
                state[f"optimizer.{index}.{name}"] = torch.as_tensor(value).clone()
    return state | {"step": torch.tensor(step)}


def unpack(state: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Inverse of `packed`, in place; returns the step.

    Raises:
        InputError: the state is of a model of another shape.
    """
    own = model.state_dict()
    weights = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
    if "step" not in state or weights.keys() != own.keys():
        raise InputError("the saved state is of another kind of model; delete it to start again")
    for name, tensor in weights.items():
        if tensor.shape != own[name].shape:
            raise InputError(
                f"the saved state holds {name} of shape {[*tensor.shape]}, the configuration asks for "
                f"{[*own[name].shape]}; delete it to start again"
            )
    model.load_state_dict(weights)
    slots = optimizer.state_dict()
    for key, value in state.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            slots["state"].setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(slots)
    return int(state["step"])
