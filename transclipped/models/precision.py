"""The fastest number format for backbones, measured once on each machine and cached.

On a processor with AMX, bfloat16 makes EfficientNet-Lite0 about three times faster; on one without, slower.
"""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import nn

from transclipped.utils.files import cache_dir
from transclipped.utils.measured import remembered

MARGIN = 1.1  # bfloat16 must be faster by this factor, since it is less precise
REPEATS = 4  # after a warm-up


@contextmanager
def inference(device: torch.device) -> Iterator[None]:
    """No gradients, and autocast to the fastest number format of the device."""
    dtype = fastest_dtype(device)
    with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
        yield


def fastest_dtype(device: torch.device) -> torch.dtype:
    """torch.bfloat16 or torch.float32, whichever is faster for a small convolutional network."""
    return torch.bfloat16 if _prefers_bfloat16(torch.device(device).type) else torch.float32


@cache
def _prefers_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    if device != "cpu":
        return False
    path = cache_dir() / "precision.json"
    return remembered(path, machine_key(), _measure, valid=lambda value: isinstance(value, bool))


def machine_key() -> str:
    """Identifies the machine and the version of torch, as a key for measured speeds."""
    machine = f"{torch.backends.cpu.get_cpu_capability()} {platform.machine()} {os.cpu_count()}"
    return hashlib.sha256(f"{platform.processor()} {machine} {torch.__version__} 0".encode()).hexdigest()[:16]


@torch.inference_mode()
def _measure() -> bool:
    """Time a pointwise and a depthwise convolution, as in the backbones, in both formats."""
    network = nn.Sequential(
        nn.Conv2d(32, 192, 1), nn.Conv2d(192, 192, 3, padding=1, groups=192), nn.ReLU6(), nn.Conv2d(192, 32, 1)
    ).to(memory_format=torch.channels_last)
    x = torch.zeros(32, 32, 24, 24).to(memory_format=torch.channels_last)

    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(REPEATS + 1):  # alternating, since other programs may use the cores for a while
        for dtype in best:
            started = time.perf_counter()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
                network(x)
            best[dtype] = min(best[dtype], time.perf_counter() - started)
    return best[torch.float32] > MARGIN * best[torch.bfloat16]
