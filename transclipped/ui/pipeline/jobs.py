"""Pipelines that have been computed, and those that are being computed: one at a time, in a thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from functools import partial

import streamlit as st

from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.ui.pipeline.data import STORES, Place, fitted, query_ids
from transclipped.ui.thread_job import Job

MOST = 8  # pipelines of a place that stay ready: their outputs are in its store, beside what re-rankings compute


class Jobs:
    """All jobs by line, their name, and place; those that ended stay as long as their outputs, see `data.store`."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()
        self._lock, self._turn = threading.RLock(), threading.Lock()

    def find(self, line: str, place: Place) -> Job | None:
        with self._lock:
            if (job := self._jobs.get((line, place.key))) is not None:
                self._jobs.move_to_end((line, place.key))
            return job

    def ready(self, line: str, place: Place) -> Pipeline:
        """A pipeline that is fitted at once."""
        job = self.find(line, place)
        if job is None or job.result is None:
            job = self._add(place, Job(line, result=fitted(line, place), ended=True))
        return job.result

    def start(self, line: str, place: Place) -> Job:
        """Compute in a thread, unless that is on already."""
        with self._lock:  # two visitors start one thread
            job = self.find(line, place)
            if job is not None and (job.running or job.result is not None):
                return job
            return self._add(place, Job(line)).start(partial(_fit, place=place), turn=self._turn)

    def _add(self, place: Place, job: Job) -> Job:
        with self._lock:
            self._jobs[job.name, place.key] = job
            self._jobs.move_to_end((job.name, place.key))
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


def _fit(job: Job, place: Place) -> Pipeline:
    """The pipeline of a job, prefix by prefix."""
    prefixes = list(Pipeline(job.name).line.prefixes())
    job.total = len(prefixes)
    for prefix, job.stage in prefixes:
        _rank_one(fitted(str(prefix), place))
        job.done += 1
    return fitted(job.name, place)


def _rank_one(pipeline: Pipeline) -> None:
    """Search once, so that what a re-ranking needs of the database is computed."""
    with suppress(IndexError):
        pipeline.search(query_ids(pipeline)[0], k=1)


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    return Jobs()
