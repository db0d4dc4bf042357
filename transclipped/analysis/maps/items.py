"""What a map shows: images of a run, with their codes and embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from transclipped.analysis.maps.store import digest


@dataclass(frozen=True)
class Items:
    """What a map shows.

    Attributes:
        which: "queries" or "database".
        ids: `[n]`. labels: `[n]`, `[n, L]`, or None.
        codes: `[n, M]` uint8.
        vectors: by kind of embedding, `[n, D]` float32, the backbone's float16; quantized is always there.
    """

    which: str
    ids: np.ndarray
    labels: np.ndarray | None
    codes: np.ndarray
    vectors: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digests(self) -> dict[str, str]:
        """What each kind of embedding holds, see `digest`; computed once, since vectors can have megabytes."""
        return {kind: digest(vectors) for kind, vectors in self.vectors.items()}
