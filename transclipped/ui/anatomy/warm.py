"""What Anatomy shows before anything is set, made ready."""

from __future__ import annotations

import numpy as np

from transclipped.analysis import anatomy
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.anatomy import cached as page
from transclipped.ui.anatomy.subject import Subject


def warm(run: RunDir) -> None:
    """Follow the first stored query, which asks at last.

    Raises:
        IndexError: the run has no query.
    """
    engine, data = cached.engine(run.fingerprint, run), cached.run_data(run)
    stored = engine.stored
    query = stored.queries[0].astype(np.float32)  # [D]
    row = cached.images(data).row_of(stored.query_ids[0])
    subject = Subject(f"row {row}", "", lambda: cached.images(data).image(row))
    engine.search(query, top=1)
    seen = page.seen(run.fingerprint, subject.key, run, subject)
    if seen.attention is not None:
        page.rolled(run.fingerprint, subject.key, run, subject)
    page.enlarged(data, subject.key, seen.grid or (1, 1), subject)
    page.portrait(data, subject.key, subject)
    assigned = anatomy.assign(query.reshape(len(stored.codebooks), -1), stored.codebooks, page.sharpness(run))
    page.faces(run.fingerprint, page.likely(assigned), run)
