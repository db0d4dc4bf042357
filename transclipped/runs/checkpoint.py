"""Training state as a flat dictionary of tensors, so that it can be stored without pickle."""

import torch
from torch import Tensor, nn

from transclipped.errors import InputError
from transclipped.models.head import are_finite

MAX_STEPS = 10**12
SLOTS = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "SGD": {"momentum_buffer"}}  # of a parameter, after its first step


def packed(model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> dict[str, Tensor]:
    """Copies of model, optimizer and step as a flat dictionary of tensors."""
    state = {f"model.{name}": tensor.detach().clone() for name, tensor in model.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            if value is not None:
                state[f"optimizer.{index}.{name}"] = torch.as_tensor(value).clone()
    return state | {"step": torch.tensor(step)}


def unpack(state: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, int | None]:
    """Inverse of `packed`, in place; returns the `position`. Raises InputError if the state does not fit the model."""
    expected = model.state_dict()
    weights = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
    if weights.keys() != expected.keys():
        raise InputError("the checkpoint is of another kind of model; delete it to start over")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                f"the checkpoint has {name} of shape {[*tensor.shape]}, the configuration needs "
                f"{[*expected[name].shape]}; delete it to start over"
            )
    at = position(state, source="the checkpoint")
    if not all(are_finite(tensor) for tensor in state.values() if tensor.is_floating_point()):
        raise InputError("the checkpoint has numbers that are not finite; delete it to start over")
    model.load_state_dict(weights)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": _slots(state, optimizer)})
    return at


def _slots(state: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """The optimizer's state of each parameter, by its number."""
    names, slots = SLOTS[type(optimizer).__name__], {}
    for number, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
        slot = {name: state[key] for name in names if (key := f"optimizer.{number}.{name}") in state}
        shapes = {name: torch.Size() if name == "step" else parameter.shape for name in names}
        if slot and ({k: v.shape for k, v in slot.items()} != shapes or slot.get("step", 0) < 0):
            raise InputError(f"the optimizer state does not fit parameter {number}; delete the checkpoint")
        if slot:
            slots[number] = slot
    return slots


def position(state: dict[str, Tensor], *, source: str) -> tuple[int, int | None]:
    """Completed steps, and epochs with a reported end; None if unknown. Raises InputError if missing or invalid."""
    numbers = [state[name] for name in ("step", "ended") if name in state]
    whole = all(n.numel() == 1 and not (n.is_floating_point() or n.is_complex()) for n in numbers)
    if "step" not in state or not whole or not all(0 <= int(n) <= MAX_STEPS for n in numbers):
        raise InputError(f"{source} does not say at which step it was saved; delete it to start over")
    return int(state["step"]), int(state["ended"]) if "ended" in state else None
