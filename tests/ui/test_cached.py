"""All pages and visitors share one copy of a run's arrays and metrics."""

import shutil

from transclipped.runs.run import RunDir
from transclipped.ui import cached


def test_arrays_and_metrics_are_read_once(tiny_run):
    run = RunDir(tiny_run)
    assert cached.arrays(RunDir(tiny_run)) is cached.arrays(run) is cached.engine(run.fingerprint, run).stored
    assert cached.metrics(run) == run.metrics()


def test_a_changed_run_is_read_again(tiny_run, tmp_path):
    run = RunDir(shutil.copytree(tiny_run, tmp_path / "run"))
    before = cached.arrays(run)
    before.save(run.path / "retrieval.npz")
    assert cached.arrays(run) is not before
    (run.path / "metrics.json").unlink()
    assert cached.metrics(run) == {}
