"""Install the lowest versions allowed by requirements.txt and run the app with them.

usage: python -m tests.tools.lowest_versions [FOLDER]      needs the package `uv`, and the network

The environment is created in FOLDER (default: a temporary one; with PyTorch it takes several GB). Each command runs
once on tiny data, then the tests of the pages. The exit status is 1 if any fails.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FEW = ["--train-limit", "200", "--database-limit", "200", "--query-limit", "40", "--epochs", "2", "--batch", "64"]


def uv(*arguments: str, **environment: str) -> None:
    """Run uv with its default cache and index."""
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True, env={**os.environ, **environment})


def install(folder: Path) -> str:
    """A virtual environment with the lowest versions; returns its Python."""
    uv("venv", "--allow-existing", "--quiet", str(folder))
    into = {"VIRTUAL_ENV": str(folder)}
    uv("pip", "install", "--quiet", "--resolution", "lowest-direct", "-r", str(ROOT / "requirements.txt"), **into)
    uv("pip", "install", "--quiet", "pytest>=8", "hypothesis>=6.100", **into)
    return str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")


def commands(work: Path) -> dict[str, list[str]]:
    """The commands by name, in order: later ones use the output of earlier ones."""
    run = str(work / "runs" / "low")
    images = ROOT / "assets" / "screenshots"
    image = str(next(images.glob("*.png")))
    cli = ["-m", "transclipped"]
    return {
        "train": [*cli, "train", "--dataset", "cifar10", *FEW, "--run", run],
        "evaluate": [*cli, "evaluate", "--run", run, "--stored"],
        "encode": [*cli, "encode", str(images), "--run", run, "--out", str(work / "collection")],
        "search": [*cli, "search", image, "--run", run],
        "export": [*cli, "export", "--run", run, "--what", "faiss", "--out", str(work / "index.faiss")],
        "maps": [*cli, "maps", "--runs", str(work / "runs"), "--out", str(work / "maps")],
        "lab": [*cli, "lab", "sweep", "--rule", "threshold", "--amounts", "0.6", "--out", str(work / "sweep")],
        "pages": ["-m", "pytest", "-q", "tests/pages/test_pages.py", "tests/pages/test_embeddings.py"],
    }


def main(folder: str | None = None) -> int:
    """Install, run everything, and print a line per command."""
    with tempfile.TemporaryDirectory() as scratch:
        python = install(Path(folder or scratch) / "lowest")
        environment = {**os.environ, "TRANSCLIPPED_CACHE": f"{scratch}/cache", "TRANSCLIPPED_RUNS": f"{scratch}/runs"}
        failures = 0
        for name, command in commands(Path(scratch)).items():
            ended = subprocess.run([python, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
            failures += ended.returncode != 0
            output = (ended.stdout + ended.stderr)[-4000:]
            print(f"{name:9} {output if ended.returncode else 'ok'}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
