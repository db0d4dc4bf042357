"""Pipelines that have been computed, and those that are being computed: one at a time, in a thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field

import streamlit as st

from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.ui.pipeline.data import STORES, Place, fitted, query_ids

MOST = 32  # pipelines of a place that stay ready: their outputs are in its store, beside what re-rankings compute


@dataclass
class Job:
    """The computation of a line's prefixes.

    Attributes:
        done, total: prefixes. stage: of the prefix that is being computed.
        error: why it failed; "" unless it did.
        pipeline: when it is finished.
    """

    line: str
    done: int = 0
    total: int = 1
    stage: str = ""
    waiting: bool = True
    error: str = ""
    pipeline: Pipeline | None = None
    thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return self.pipeline is None and not self.error


class Jobs:
    """All jobs by line and place. Those that ended stay as long as the outputs of their place, see `data.store`."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def find(self, line: str, place: Place) -> Job | None:
        with self._lock:
            if (job := self._jobs.get((line, place.key))) is not None:
                self._jobs.move_to_end((line, place.key))
            return job

    def ready(self, line: str, place: Place) -> Pipeline:
        """A pipeline that is fitted at once."""
        job = self.find(line, place)
        if job is None or job.pipeline is None:
            job = self._add(place, Job(line, pipeline=fitted(line, place)))
        return job.pipeline

    def start(self, line: str, place: Place) -> Job:
        """Compute in a thread, unless that is on already."""
        job = self.find(line, place)
        if job is not None and (job.running or job.pipeline is not None):
            return job
        job = self._add(place, Job(line))
        job.thread = threading.Thread(target=self._work, args=(job, place), name="pipeline", daemon=True)
        job.thread.start()
        return job

    def _add(self, place: Place, job: Job) -> Job:
        with self._lock:
            self._jobs[job.line, place.key] = job
            self._jobs.move_to_end((job.line, place.key))
            self._forget()
            return job

    def _forget(self) -> None:
        """Drop what ended at all but the `STORES` latest places, and at each of these beyond `MOST`."""
        of_place: dict[str, list[tuple[str, str]]] = {}
        for key in reversed(self._jobs):  # the latest first
            of_place.setdefault(key[1], []).append(key)
        for i, keys in enumerate(of_place.values()):
            for key in keys[MOST if i < STORES else 0 :]:
                if not self._jobs[key].running:
                    del self._jobs[key]

    def _work(self, job: Job, place: Place) -> None:
        try:
            with self._turn:
                job.waiting = False
                prefixes = list(Pipeline(job.line).line.prefixes())
                job.total = len(prefixes)
                for prefix, job.stage in prefixes:
                    _rank_one(fitted(str(prefix), place))
                    job.done += 1
                job.pipeline = fitted(job.line, place)
        except InputError as error:
            job.error = str(error)
        except Exception as error:
            job.error = f"{job.line}: {type(error).__name__}: {error}"


def _rank_one(pipeline: Pipeline) -> None:
    """Search once, so that what a re-ranking needs of the database is computed."""
    with suppress(IndexError):
        pipeline.search(query_ids(pipeline)[0], k=1)


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    return Jobs()
