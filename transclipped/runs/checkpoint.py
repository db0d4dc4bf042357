"""A training's state as a flat dictionary of tensors, so that it can be stored without unpickling anything."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transclipped.errors import InputError
from transclipped.models.head import are_finite

MAX_STEPS = 10**12
SLOTS = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "SGD": {"momentum_buffer"}}  # of a parameter, once it has moved


def packed(model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> dict[str, Tensor]:
    """Copies of model, optimizer and step as a flat dictionary of tensors."""
    state = {f"model.{name}": tensor.detach().clone() for name, tensor in model.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if value is not None:
                state[f"optimizer.{index}.{name}"] = torch.as_tensor(value).clone()
    return state | {"step": torch.tensor(step)}


def unpack(state: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, int | None]:
    """Inverse of `packed`, in place; returns the `position`.

    Raises:
        InputError: the state is of a model of another shape.
    """
    own = model.state_dict()
    weights = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
    if weights.keys() != own.keys():
        raise InputError("the saved state is of another kind of model; delete it to start again")
    for name, tensor in weights.items():
        if tensor.shape != own[name].shape:
            raise InputError(
                f"the saved state holds {name} of shape {[*tensor.shape]}, the configuration asks for "
                f"{[*own[name].shape]}; delete it to start again"
            )
    at = position(state, source="the saved state")
    if not all(are_finite(tensor) for tensor in state.values() if tensor.is_floating_point()):
        raise InputError("the saved state holds numbers that are not finite; delete it to start again")
    model.load_state_dict(weights)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": _slots(state, optimizer)})
    return at


def _slots(state: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """What the optimizer keeps of each parameter, by the parameter's number."""
    names, slots = SLOTS[type(optimizer).__name__], {}
    for number, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
        mine = {name: state[key] for name in names if (key := f"optimizer.{number}.{name}") in state}
        shapes = {name: torch.Size() if name == "step" else parameter.shape for name in names}
        if mine and ({k: v.shape for k, v in mine.items()} != shapes or mine.get("step", 0) < 0):
            raise InputError(
                f"the saved state of the optimizer does not fit parameter {number}; delete it to start again"
            )
        if mine:
            slots[number] = mine
    return slots


def position(state: dict[str, Tensor], *, source: str) -> tuple[int, int | None]:
    """Steps done, and epochs whose end was reported; None where the state does not say.

    Raises:
        InputError: they are missing or senseless.
    """
    numbers = [state[name] for name in ("step", "ended") if name in state]
    whole = all(n.numel() == 1 and not (n.is_floating_point() or n.is_complex()) for n in numbers)
    if "step" not in state or not whole or not all(0 <= int(n) <= MAX_STEPS for n in numbers):
        raise InputError(f"{source} does not say at which step it was saved; delete it to start again")
    return int(state["step"]), int(state["ended"]) if "ended" in state else None
