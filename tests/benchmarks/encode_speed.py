"""Speed of encoding, compared with the network alone and decoding alone in the same run.

    python -m tests.benchmarks.encode_speed [--part small large memory add] [--threads 1] [--repeats 5]

small   CIFAR-10 images: encoding relative to the forward pass on prepared images. Target: 0.9 or more.
large   12-megapixel photographs: encoding relative to the slower of decoding and network. Target: 0.9 or more, which
        shared cores allow only if one of the two is nine times the work; so also relative to what they allow, by CPU
        time, which other programs do not affect.
memory  peak of coding a million cached embeddings (F = 1,280), Linux only. Target: below 2 GB.
add     10,000 images added to a collection by one command, and the first search afterwards, as separate processes.

Compared runs are interleaved and their medians reported, since other programs may be running.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from transclipped.config import BackboneConfig, DataConfig, QuantizerConfig
from transclipped.datasets.registry import load
from transclipped.datasets.views import render
from transclipped.features.batch_size import best_batch_size
from transclipped.features.cache import FEW, FeatureCache, encode
from transclipped.models.backbone import Backbone, load_backbone
from transclipped.models.head import Head
from transclipped.models.precision import fastest_dtype, inference

ROOT = Path(__file__).resolve().parents[2]
MILLION, WIDTH = 1_000_000, 1280
GRAIN = 5  # standard deviation of a photograph's grain, of 255
RUN = ROOT / "assets" / "runs" / "cnn-cifar10-32-clipped"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = {"small": small, "large": large, "memory": memory, "add": add}
    parser.add_argument("--part", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dtype = "bfloat16" if fastest_dtype(torch.device("cpu")) == torch.bfloat16 else "float32"
    print(f"{os.cpu_count()} cores, {arguments.threads} threads, {dtype}, torch {torch.__version__}")
    for name in arguments.part:
        parts[name](arguments)


def small(arguments: argparse.Namespace) -> None:
    """CIFAR-10 images at 96 pixels."""
    images = load(DataConfig())
    backbone = load_backbone(BackboneConfig(name=arguments.backbone, image_size=96))
    rows = np.arange(1024)
    batch = best_batch_size(backbone, "cpu", images=100_000)
    ready = _ready(images.pixels(rows, 96), backbone, batch)
    work = {"network": lambda: _forward(backbone, ready)}
    work["encoding"] = lambda: deque(encode(backbone, images, rows, batch=batch), maxlen=0)
    results = _interleaved(work, arguments.repeats)
    per_s = {name: len(rows) / seconds for name, (seconds, _) in results.items()}
    print(
        f"small: batches of {batch}; network {per_s['network']:.0f}/s, encoding {per_s['encoding']:.0f}/s, "
        f"ratio {per_s['encoding'] / per_s['network']:.3f}"
    )


def large(arguments: argparse.Namespace) -> None:
    """JPEGs of 4,000 × 3,000 pixels, made of bundled photographs, at 160 pixels."""
    with tempfile.TemporaryDirectory() as folder:
        _photographs(Path(folder), 24)
        images = load(DataConfig(dataset="folder", data=folder))
        backbone = load_backbone(BackboneConfig(name=arguments.backbone, image_size=160))
        size = np.mean([images.path(row).stat().st_size for row in range(len(images))]) / 1e6
        rows = np.tile(np.arange(len(images)), 4)  # so many that the first batch counts little
        batch = min(FEW, best_batch_size(backbone, "cpu", images=100_000))
        ready = _ready(images.pixels(rows, 160), backbone, batch)
        work = {"network": lambda: _forward(backbone, ready), "decoding": lambda: images.pixels(rows, 160)}
        work["encoding"] = lambda: deque(encode(backbone, images, rows, batch=batch), maxlen=0)
        results = _interleaved(work, arguments.repeats)
    per_s = {name: len(rows) / seconds for name, (seconds, _) in results.items()}
    core_ms = {name: 1000 * seconds / len(rows) for name, (_, seconds) in results.items()}  # per image
    slower = "network" if per_s["network"] < per_s["decoding"] else "decoding"
    alone, both = core_ms[slower], core_ms["network"] + core_ms["decoding"]
    speeds = ", ".join(f"{name} {per_s[name]:.1f}/s ({core_ms[name]:.1f} core ms)" for name in results)
    print(
        f"large: {size:.1f} MB a file, batches of {batch}; {speeds}; ratio to the slower, {slower}, "
        f"{per_s['encoding'] / per_s[slower]:.3f}; shared cores allow {alone / both:.3f}; of the core time, "
        f"{both / core_ms['encoding']:.3f} is decoding and network"
    )


def memory(arguments: argparse.Namespace) -> None:
    """Code a million cached embeddings; the file is sparse, so it takes no disk space, but is mapped like any other."""
    import resource

    from transclipped.search.collection import _code

    with tempfile.TemporaryDirectory() as folder:
        images = type("Million", (SimpleNamespace,), {"__len__": lambda self: MILLION})(fingerprint="0", name="million")
        backbone = SimpleNamespace(name="none", fingerprint="0", image_size=1, width=WIDTH)
        cache = FeatureCache(images, backbone, root=Path(folder))
        cache.folder.mkdir(parents=True)
        with (cache.folder / "view-0.f16").open("wb") as file:
            file.truncate(MILLION * WIDTH * 2)
        codes = np.zeros((MILLION, 4), np.uint8)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        started = time.perf_counter()
        _code(Head.from_config(WIDTH, QuantizerConfig()), cache, np.arange(MILLION), codes)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    gigabytes = MILLION * WIDTH * 2 / 2**30
    print(
        f"memory: {gigabytes:.1f} GB of embeddings coded in {seconds:.0f} s, peak {peak:.0f} MB ({before:.0f} before)"
    )


def add(arguments: argparse.Namespace) -> None:
    """Add images by one command, search by another."""
    images = load(DataConfig())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, rows in (("old", range(500)), ("new", range(500, 10_500))):
            (folder / part).mkdir()
            for row in rows:
                (folder / part / f"{row}.png").write_bytes(images.encoded(row))
        run = ["--run", RUN]
        _command("encode", folder / "old", *run, "--out", folder / "all")
        adding = _command("encode", folder / "new", *run, "--out", folder / "all", "--add")
        record = json.loads((folder / "all" / "collection.json").read_text())
        searching = _command("search", folder / "new" / "1234.png", *run, "--collection", folder / "all")
        again = _command("encode", folder / "new", *run, "--out", folder / "all", "--add")
    print(
        f"add: {record['n_encoded']:,} images added in {adding:.1f} s ({record['n']:,} in all), first search after "
        f"it {searching:.1f} s as a command; adding the same again {again:.1f} s"
    )


def _command(*words: object) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "transclipped", *map(str, words)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def _ready(pixels: torch.Tensor, backbone: Backbone, batch: int) -> list[torch.Tensor]:
    look = {"size": backbone.image_size, "mean": backbone.mean, "std": backbone.std}
    return [
        render(part, None, **look).contiguous(memory_format=torch.channels_last) for part in torch.split(pixels, batch)
    ]


def _forward(backbone: Backbone, batches: list[torch.Tensor]) -> None:
    with inference(torch.device("cpu")):
        for batch in batches:
            backbone(batch)


def _interleaved(work: dict[str, Callable[[], object]], repeats: int) -> dict[str, tuple[float, float]]:
    """Median seconds of each, by the clock and of all cores, after a warm-up round."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for turn in range(repeats + 1):
        for name, do in work.items():
            started, worked = time.perf_counter(), time.process_time()
            do()
            if turn:
                times[name].append((time.perf_counter() - started, time.process_time() - worked))
    return {name: tuple(np.median(seconds, axis=0).tolist()) for name, seconds in times.items()}


def _photographs(folder: Path, n: int) -> None:
    """Enlarged images with grain, so that files are as large as a camera's, 3 MB."""
    sources = load(DataConfig(dataset="caltech101"))
    grain = np.random.default_rng(0).normal(0, GRAIN, (3000, 4000, 1)).astype(np.float32)
    for row in range(n):
        image = sources.image(row * 7).resize((4000, 3000), Image.Resampling.BICUBIC)
        pixels = (np.asarray(image) + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{row}.jpg", quality=90)


if __name__ == "__main__":
    main()
