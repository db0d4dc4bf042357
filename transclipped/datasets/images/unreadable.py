"""Which images turned out to be damaged when they were decoded, so that nothing tries to decode them again.

Headers and checksums can be right where pixels are not; that shows only when the image is used. Reasons are kept in
the cache by the data set's fingerprint, so they hold for just these files.
"""

from __future__ import annotations

from pathlib import Path

from transclipped.utils import measured
from transclipped.utils.files import cache_dir, read_object


def known(fingerprint: str) -> dict[str, str]:
    """Reasons by id; empty where nothing is known."""
    reasons = read_object(_place(fingerprint))
    return {name: reason for name, reason in reasons.items() if isinstance(reason, str)}


def remember(fingerprint: str, name: str, reason: str) -> None:
    """Keep a reason; a full disk only means finding it again."""
    if name not in known(fingerprint):
        measured.remember(_place(fingerprint), name, reason)


def _place(fingerprint: str) -> Path:
    return cache_dir() / "unreadable" / f"{fingerprint}.json"
