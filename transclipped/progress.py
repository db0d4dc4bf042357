"""A bar on standard error for each stage of a long computation."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any


def with_bars(work: Iterable[Any]) -> Iterator[Any]:
    """Pass on progress and events, drawing a bar for each stage on standard error."""
    from tqdm import tqdm

    bar, stage = None, None
    try:
        for item in work:
            what, done, total, note = _bar_of(item)
            if what != stage:
                if bar is not None:
                    bar.close()
                bar, stage = tqdm(total=total, desc=what, file=sys.stderr, mininterval=0.5, leave=True), what
            bar.total = total
            bar.set_postfix(note, refresh=False)
            bar.update(max(0, done - bar.n))
            yield item
    finally:
        if bar is not None:
            bar.close()


def _bar_of(item: Any) -> tuple[str, int, int, dict[str, str]]:
    """Stage, done, total and figures of a progress or an event."""
    if hasattr(item, "what"):
        return item.what, item.done, item.total, {}
    shown = {"loss": "loss", "clip_fraction": "clipped", "images_per_s": "images/s", "validation_map": "validation mAP"}
    figures = {short: f"{item.values[name]:.4g}" for name, short in shown.items() if name in item.values}
    return "training", item.step, item.total, figures
