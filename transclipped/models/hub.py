"""Weights of timm models: which are cached on this machine, and whether their server is reachable.

The check takes a few seconds at most, while hub clients retry for a minute.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from transclipped.utils.machine import has_route

PATIENCE = 4.0  # seconds for the name look-up and the connection
PORTS = {"http": 80, "https": 443}
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def reachable(url: str, *, patience: float = PATIENCE) -> bool:
    """Whether the server of a URL, or the proxy in front of it, accepts a connection; sends nothing."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    address = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 443)
    if not has_route() and address[0] not in ("localhost", "127.0.0.1"):
        return False
    connected: list[bool] = []

    def connect() -> None:
        with suppress(OSError):
            socket.create_connection(address, timeout=patience).close()
            connected.append(True)

    attempt = Thread(target=connect, daemon=True)  # a name look-up has no time limit
    attempt.start()
    attempt.join(patience)
    return bool(connected)


def source(config: Any) -> str:
    """Server of the weights of timm's `PretrainedCfg`; "" if there are none or the hub is switched off."""
    if config is None:
        return ""
    if config.hf_hub_id:
        from huggingface_hub import constants

        return "" if constants.HF_HUB_OFFLINE else constants.ENDPOINT
    return config.url or ""


def cached_file(config: Any) -> Path | None:
    """The cached weights of timm's `PretrainedCfg`, None if there are none."""
    import torch

    if config.url and (path := Path(torch.hub.get_dir()) / "checkpoints" / Path(config.url).name).is_file():
        return path
    if not config.hf_hub_id:
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    for name in (config.hf_hub_filename, *WEIGHT_FILES):
        file = try_to_load_from_cache(config.hf_hub_id, name) if name else None
        if isinstance(file, str) and Path(file).is_file():
            return Path(file)
    return None


@contextmanager
def offline() -> Iterator[None]:
    """Let the hub's client read its cache without a request to the server."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
