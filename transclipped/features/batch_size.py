"""Batch size of a forward pass: measured once per network and machine, then cached.

Larger batches are not faster on a CPU: EfficientNet-Lite0 at 96 pixels encodes 500 images per second in batches of 16
and 275 in batches of 256 (one core, bfloat16), since small ones fit into its cache.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import torch

from transclipped.models.backbone import Backbone
from transclipped.models.precision import inference
from transclipped.utils.files import cache_dir, read_object
from transclipped.utils.measured import remembered

DEFAULT = 64  # images, if there are too few for a measurement
WORTH = 2000  # images that make a measurement worthwhile
SIZES = {"cpu": (16, 32, 64, 128), "cuda": (64, 128, 256, 512)}
LARGEST = max(map(max, SIZES.values()))
REPEATS = 3  # per size, of which the best is used
BUDGET = 5.0  # seconds of the whole measurement, after which the best size so far is used
MARGIN = 1.03  # a larger batch must be faster by this factor


def best_batch_size(backbone: Backbone, device: str, *, images: int) -> int:
    """Batch size for encoding `images` images."""
    kind, key, path = torch.device(device).type, _key(backbone, device), cache_dir() / "batches.json"
    if kind in SIZES and images >= WORTH:
        return remembered(path, key, lambda: fastest_size(backbone, device, SIZES[kind]), valid=_valid)
    size = read_object(path).get(key)
    return size if _valid(size) else DEFAULT


def fastest_size(backbone: Backbone, device: str, sizes: tuple[int, ...]) -> int:
    """The batch size with the most images per second; the smallest of about equal ones."""
    best, speed, began = sizes[0], 0.0, time.perf_counter()
    for size in sizes:
        fastest = 0.0
        for _ in range(REPEATS):
            fastest = max(fastest, size / _forward(backbone, device, size))
            if time.perf_counter() - began > BUDGET:
                return size if fastest > MARGIN * speed else best
        if fastest > MARGIN * speed:
            best, speed = size, fastest
    return best


def _forward(backbone: Backbone, device: str, size: int) -> float:
    """Seconds of one pass over `size` grey images; infinite if they do not fit into memory."""
    try:
        with inference(torch.device(device)):
            pixels = torch.zeros(size, 3, backbone.image_size, backbone.image_size, device=device)
            started = time.perf_counter()
            backbone(pixels).sum().item()  # waits for the device
            return time.perf_counter() - started
    except torch.OutOfMemoryError:
        return float("inf")


def _valid(size: Any) -> bool:
    return type(size) is int and 0 < size <= LARGEST


def _key(backbone: Backbone, device: str) -> str:
    machine = f"{torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()} {torch.__version__} {device}"
    return hashlib.sha256(f"{machine} {backbone.name} {backbone.image_size}".encode()).hexdigest()[:16]
