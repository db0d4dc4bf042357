"""Fills the caches that the first view of Anatomy needs."""

from __future__ import annotations

import numpy as np

from transclipped.analysis import anatomy
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.anatomy import cached as page
from transclipped.ui.anatomy.subject import Subject


def warm(run: RunDir) -> None:
    """Follow the first stored query through all steps.

    Raises:
        IndexError: the run has no query.
    """
    searcher, data = cached.engine(run.fingerprint, run), cached.run_data(run)
    stored = searcher.stored
    query = stored.queries[0].astype(np.float32)  # [D]
    row = cached.images(data).row_of(stored.query_ids[0])
    subject = Subject(f"row {row}", "", lambda: cached.images(data).image(row))
    searcher.search(query, top=1)
    view = page.seen(run.fingerprint, subject.key, run, subject)
    if view.attention is not None:
        page.rolled(run.fingerprint, subject.key, run, subject)
    page.enlarged(data, subject.key, view.grid or (1, 1), subject)
    page.portrait(data, subject.key, subject)
    assigned = anatomy.assign(query.reshape(len(stored.codebooks), -1), stored.codebooks, page.sharpness(run))
    page.faces(run.fingerprint, page.likely(assigned), run)
