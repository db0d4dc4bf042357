"""Which images turned out to be damaged when they were decoded, so that nobody stumbles over them again.

Headers and checksums can be right where pixels are not; that shows only when the image is used. Reasons are kept in
the cache by the data set's fingerprint, so they hold for just these files.
"""

from __future__ import annotations

import threading
from pathlib import Path

from transclipped.errors import InputError
from transclipped.files import cache_dir, read_json, write_json

_writing = threading.Lock()


def known(fingerprint: str) -> dict[str, str]:
    """Reasons by id; empty where nothing is known."""
    try:
        reasons = read_json(_place(fingerprint))
    except InputError:
        return {}
    good = isinstance(reasons, dict) and all(isinstance(reason, str) for reason in reasons.values())
    return reasons if good else {}


def remember(fingerprint: str, name: str, reason: str) -> None:
    """Keep a reason; a full disk only costs the memory."""
    with _writing:
        reasons = known(fingerprint)
        if name not in reasons:
            try:
                write_json(_place(fingerprint), reasons | {name: reason})
            except InputError:
                return


def _place(fingerprint: str) -> Path:
    return cache_dir() / "unreadable" / f"{fingerprint}.json"
