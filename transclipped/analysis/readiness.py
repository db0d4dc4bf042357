"""Readiness check of this machine: versions, cores, memory, disk, bundled files, network, speed.

Nothing is sent: whether there is a network is read from the system's table of routes.
"""

import os
import platform
import re
import shutil
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from transclipped.utils.files import ASSETS, cache_dir
from transclipped.utils.machine import has_route, memory

MEMORY = 1.5e9  # bytes that the app may need after visits to all pages
DISK = 1e9  # bytes: a feature cache of all views, and a few runs
CORES = 2
PYTHON = (3, 11)
ROOT = ASSETS.parent
BATCH, SECONDS = 32, 1.0  # of the speed measurement


@dataclass(frozen=True)
class Check:
    """One line: name, value, whether it suffices (None: either is fine), and what to do otherwise."""

    name: str
    value: str
    ok: bool | None
    remedy: str = ""


def checks(home: Path) -> list[Check]:
    """All checks that take milliseconds. `home` is the folder of the visitor's runs."""
    python = tuple(map(int, platform.python_version_tuple()[:2])) >= PYTHON
    remedy = f"install Python {'.'.join(map(str, PYTHON))} or later"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [
        Check("Python", platform.python_version(), python, remedy),
        _packages(),
        Check("Processor cores", str(cores), cores >= CORES, "expect everything to take twice as long"),
        _memory(),
        _disk(home),
        _bundled(),
        _network(),
    ]


def images_per_second(name: str, *, size: int) -> float:
    """Images per second that a bundled backbone encodes here at `size` pixels per side, on the app's default device."""
    import torch

    from transclipped.config import BackboneConfig
    from transclipped.models.backbone import load_backbone
    from transclipped.models.precision import inference
    from transclipped.utils.machine import best_device

    device = torch.device(best_device())
    backbone = load_backbone(BackboneConfig(name=name), default_size=size).to(device)
    images = torch.zeros(BATCH, 3, size, size, device=device)
    with inference(device):
        backbone(images)[0, 0].item()  # warm-up
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < SECONDS:
            backbone(images)[0, 0].item()  # waits for the device
            done += BATCH
    return done / (time.perf_counter() - started)


def requirements() -> dict[str, tuple[int, ...]]:
    """Packages of requirements.txt with their smallest version; empty if the file is missing."""
    file = ROOT / "requirements.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    matches = (re.match(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9.]+)", line) for line in lines)
    return {match[1]: _numbers(match[2]) for match in matches if match}


installed = cache(version)  # parses a file; imported packages do not change while the app runs


def _packages() -> Check:
    versions, wrong = [], []
    for name, least in requirements().items():
        try:
            value = installed(name)
        except PackageNotFoundError:
            wrong.append(name)
            continue
        versions.append(f"{name} {value}")
        if _numbers(value) < least:
            wrong.append(name)
    remedy = f"{', '.join(wrong)}: run `pip install -r requirements.txt`"
    return Check("Packages", ", ".join(versions) or "requirements.txt is missing", not wrong, remedy)


def _memory() -> Check:
    total, free = memory()
    value = f"{total / 1e9:.1f} GB, {free / 1e9:.1f} GB free"
    return Check("Memory", value, free >= MEMORY, "close other programs")


def _disk(home: Path) -> Check:
    folders = {"runs": home.resolve(), "caches": cache_dir().resolve()}
    existing = {n: next(p for p in (path, *path.parents) if p.exists()) for n, path in folders.items()}
    free = {name: shutil.disk_usage(path).free for name, path in existing.items()}
    value = ", ".join(f"{size / 1e9:.1f} GB free for {name}" for name, size in free.items())
    remedy = "clear the cache on the page Data sets or by `datasets cache --clear`"
    return Check("Disk", value, min(free.values()) >= DISK, remedy)


def _bundled() -> Check:
    counts = {
        "sets of images": len(list(ASSETS.glob("*/*.parquet"))),
        "networks": len(list((ASSETS / "models").glob("*.safetensors"))),
        "runs": len(list((ASSETS / "runs").glob("*/metrics.json"))),
    }
    value = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Check("Bundled files", value, all(counts.values()), "restore the project's folder `assets`")


def _network() -> Check:
    if has_route():
        return Check("Network", "online; used only for models and downloads that you request", None)
    return Check("Network", "offline: bundled data and models work, hub models and downloads do not", None)


def _numbers(text: str) -> tuple[int, ...]:
    """2.14.1+cpu → (2, 14, 1)."""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0]))
