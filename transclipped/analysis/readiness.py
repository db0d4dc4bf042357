"""Is this machine ready for a lesson? Versions, cores, memory, disk, bundled files, network, speed.

Nothing here sends anything: whether there is a network is asked of the system's own table of routes.
"""

from __future__ import annotations

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

MEMORY = 1.5e9  # bytes that the app may need after all pages were visited
DISK = 1e9  # bytes: a feature cache of all views, and some runs
CORES = 2
PYTHON = (3, 11)
ROOT = ASSETS.parent
BATCH, SECONDS = 32, 1.0  # of the speed measurement


@dataclass(frozen=True)
class Check:
    """One line: what, what was found, whether it suffices (None: either is fine), and what to do otherwise."""

    name: str
    found: str
    ok: bool | None
    remedy: str = ""


def checks(home: Path) -> list[Check]:
    """All that can be told in a few milliseconds.

    Args:
        home: folder of the visitor's own runs.
    """
    return [_python(), _packages(), _cores(), _memory(), _disk(home), _bundled(), _network()]


def images_per_second(name: str, *, size: int) -> float:
    """Images per second that a bundled backbone encodes here, on the device that the app would use.

    Args:
        size: pixels a side.
    """
    import torch

    from transclipped.config import BackboneConfig
    from transclipped.models.backbone import load_backbone
    from transclipped.models.precision import inference
    from transclipped.utils.machine import best_device

    device = torch.device(best_device())
    backbone = load_backbone(BackboneConfig(name=name), default_size=size).to(device)
    images = torch.zeros(BATCH, 3, size, size, device=device)
    with inference(device):
        backbone(images)[0, 0].item()  # the first pass prepares
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < SECONDS:
            backbone(images)[0, 0].item()  # waits for the device
            done += BATCH
    return done / (time.perf_counter() - started)


def requirements() -> dict[str, tuple[int, ...]]:
    """Packages of requirements.txt with their smallest version; empty where the file is not there."""
    file = ROOT / "requirements.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    found = (re.match(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9.]+)", line) for line in lines)
    return {match[1]: _numbers(match[2]) for match in found if match}


installed = cache(version)  # parses a file; what is imported does not change while the app runs


def _python() -> Check:
    wanted = ".".join(map(str, PYTHON))
    ok = tuple(map(int, platform.python_version_tuple()[:2])) >= PYTHON
    return Check("Python", platform.python_version(), ok, f"install Python {wanted} or later")


def _packages() -> Check:
    known, wrong = [], []
    for name, least in requirements().items():
        try:
            there = installed(name)
        except PackageNotFoundError:
            wrong.append(name)
            continue
        known.append(f"{name} {there}")
        if _numbers(there) < least:
            wrong.append(name)
    remedy = f"{', '.join(wrong)}: run `pip install -r requirements.txt`"
    return Check("Packages", ", ".join(known) or "no requirements.txt here", not wrong, remedy)


def _cores() -> Check:
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("Processor cores", str(n), n >= CORES, "expect everything to take twice as long")


def _memory() -> Check:
    total, free = memory()
    found = f"{total / 1e9:.1f} GB, {free / 1e9:.1f} GB of it free"
    return Check("Memory", found, free >= MEMORY, "close other programs")


def _disk(home: Path) -> Check:
    frees = {name: shutil.disk_usage(_existing(folder)).free for name, folder in _folders(home).items()}
    found = ", ".join(f"{free / 1e9:.1f} GB free for {name}" for name, free in frees.items())
    return Check(
        "Disk", found, min(frees.values()) >= DISK, "clear the cache on Data sets or by `datasets cache --clear`"
    )


def _bundled() -> Check:
    counts = {
        "sets of images": len(list(ASSETS.glob("*/*.parquet"))),
        "networks": len(list((ASSETS / "models").glob("*.safetensors"))),
        "runs": len(list((ASSETS / "runs").glob("*/metrics.json"))),
    }
    found = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Check("Bundled files", found, all(counts.values()), "restore the folder assets from the project")


def _network() -> Check:
    if has_route():
        return Check("Network", "there is a way out; it is not used unless you ask for a model or a download", None)
    return Check("Network", "offline: everything bundled works, models of hubs and downloads do not", None)


def _folders(home: Path) -> dict[str, Path]:
    return {"runs": home, "caches": cache_dir()}


def _existing(folder: Path) -> Path:
    folder = folder.resolve()
    return next(path for path in (folder, *folder.parents) if path.exists())


def _numbers(text: str) -> tuple[int, ...]:
    """2.14.1+cpu → (2, 14, 1)."""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0]))
