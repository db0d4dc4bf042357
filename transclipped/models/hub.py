"""Weights of others: what an earlier use left on this machine, and whether the server that has them answers.

The server is tried for some seconds alone: hub clients retry for a minute before they give up.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from transclipped.utils.machine import has_route

PATIENCE = 4.0  # seconds for the name of the server and a connection to it
PORTS = {"http": 80, "https": 443}
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def reachable(url: str, *, patience: float = PATIENCE) -> bool:
    """Whether the server of an address, or the proxy before it, takes a connection; nothing is sent.

    Where there is a network this costs one round trip.
    """
    host, port = _first_stop(url)
    if not has_route() and host not in ("localhost", "127.0.0.1"):
        return False
    answers: list[bool] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=patience).close()
            answers.append(True)
        except OSError:
            answers.append(False)

    attempt = Thread(target=connect, daemon=True)  # looking up a name has no time limit of its own
    attempt.start()
    attempt.join(patience)
    return answers == [True]


def source(known: Any) -> str:
    """Address that the weights of a pretrained configuration come from; "" if there are none.

    Args:
        known: timm's `PretrainedCfg`, or None.
    """
    if known is None:
        return ""
    if known.hf_hub_id:
        from huggingface_hub import constants

        return "" if constants.HF_HUB_OFFLINE else constants.ENDPOINT
    return known.url or ""


def cached_file(known: Any) -> Path | None:
    """Weights of a pretrained configuration that an earlier use left on this machine.

    Args:
        known: timm's `PretrainedCfg`.
    """
    import torch

    if known.url and (path := Path(torch.hub.get_dir()) / "checkpoints" / Path(known.url).name).is_file():
        return path
    if not known.hf_hub_id:
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    for file in (known.hf_hub_filename, *WEIGHT_FILES):
        found = try_to_load_from_cache(known.hf_hub_id, file) if file else None
        if isinstance(found, str) and Path(found).is_file():
            return Path(found)
    return None


@contextmanager
def offline() -> Iterator[None]:
    """Let the hub's client use what it fetched before, without a request to the server."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _first_stop(url: str) -> tuple[str, int]:
    """Host and port that a client would connect to first."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 443)
