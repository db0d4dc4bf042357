"""The app as a process of its own on a free port, and whichever Chromium is there."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
PATIENCE = 100.0  # seconds until the app must answer


@contextmanager
def served(
    environment: dict[str, str], *, look_every: float = 0.25, app: Path = ROOT / "app.py", module: str = "streamlit"
) -> Iterator[tuple[str, subprocess.Popen]]:
    """Address and process of a running app.

    Args:
        look_every: seconds between two looks whether it answers.
        module: that runs it, Streamlit or something around it.

    Raises:
        RuntimeError: it does not start; the message holds what it said.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", module, "run", str(app), "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none"]
    with tempfile.TemporaryFile() as said:  # a pipe that nobody reads would fill up and hold the app
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        address = f"http://127.0.0.1:{port}"
        try:
            if not _answers(f"{address}/_stcore/health", process, look_every):
                said.seek(0)
                raise RuntimeError(f"the app did not start: {said.read().decode(errors='replace')}")
            yield address, process
        finally:
            process.terminate()
            process.wait(20)


def program(playwright) -> str | None:
    """The browser to drive: one of the system's, else playwright's own; None where there is none."""
    own = Path(playwright.chromium.executable_path)
    return next((found for name in NAMES if (found := shutil.which(name))), str(own) if own.exists() else None)


def launched(playwright):
    """A browser; playwright's own error where there is none."""
    return playwright.chromium.launch(executable_path=program(playwright), args=ARGUMENTS)


def _answers(url: str, process: subprocess.Popen, look_every: float) -> bool:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=2):
                return True
        except (URLError, OSError):
            time.sleep(look_every)
    return False
