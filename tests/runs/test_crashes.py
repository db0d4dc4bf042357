"""Trainings killed before each file change, and two at once on one run or feature cache."""

import sys

import numpy as np
import pytest

from tests.forks import Forks, halted, let_go
from transclipped.runs.run import RunDir, is_vacant
from transclipped.utils.files import cache_dir, writer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and /proc")
START = 12  # file changes that create the run: each is tested
STRIDE = 9  # of the later ones, which the loop repeats


@pytest.fixture(scope="module")
def forks(tmp_path_factory, own_cache):
    forks = Forks(tmp_path_factory.mktemp("forks") / "log.txt")
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def others(tmp_path_factory, own_cache):
    """A second process, for two at once."""
    forks = Forks(tmp_path_factory.mktemp("others") / "log.txt")
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """`train` on 40 vectors of 8 numbers: two epochs in an instant."""
    path = tmp_path_factory.mktemp("data") / "vectors.npy"
    np.save(path, np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32))
    flags = ["--dataset", "embeddings", "--data", str(path), "--query-limit", "8", "--bits", "8"]
    return ["train", *flags, "--epochs", "2", "--batch", "8", "--views", "2", "--validation", "0"]


def result(path):
    """Results of a run, without times."""
    run = RunDir(path)
    stored = run.retrieval()
    epochs = [(event["epoch"], event["step"], event["loss"]) for event in run.events("epoch")]
    return epochs, stored.codes.tolist(), stored.codebooks.tolist(), stored.queries.tolist()


@pytest.fixture(scope="module")
def whole(forks, command, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    assert forks.run([*command, "--run", path]) == 0, forks.said
    return result(path)


def left_over(path):
    return [str(file) for file in path.rglob("*.tmp")]


def test_killed_before_any_change_of_a_file_the_same_command_or_resume_gives_the_same_run(
    forks, command, whole, tmp_path
):
    at, killed = 1, 0
    while True:
        path = tmp_path / f"run-{at}"
        if forks.run([*command, "--run", path], at=at, below=path) == 0:
            break
        killed += 1
        vacant = not path.exists() or is_vacant(path)
        again = [*command, "--run", path, *([] if vacant else ["--resume"])]
        assert forks.run(again) == 0, (at, forks.said)
        assert result(path) == whole, at
        assert not left_over(path), at
        at += 1 if at < START else STRIDE
    assert killed > START


def test_killed_while_overwriting_it_overwrites_again(forks, command, whole, tmp_path):
    path = tmp_path / "run"
    assert forks.run([*command, "--run", path, "--seed", "5"]) == 0
    for at in (*range(1, 24, 2), 30, 40):
        assert forks.run([*command, "--run", path, "--overwrite"], at=at, below=path) == -9
    assert forks.run([*command, "--run", path, "--overwrite"]) == 0, forks.said
    assert result(path) == whole


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("at", [2, 3, 5, 11])
def test_of_two_trainings_of_one_run_one_is_refused(resume, at, forks, others, command, whole, tmp_path):
    """The first is halted midway, the second runs, then the first continues."""
    path = tmp_path / "run"
    line = [*command, "--run", path]
    if resume:
        assert forks.run(line, at=60, below=path) == -9
        line.append("--resume")
    first = forks.start(line, at=at, below=path, halt=True)
    assert halted(first)
    holder = writer(path)
    second = others.run(line)
    let_go(first)
    status = forks.wait()
    assert result(path) == whole
    assert (status, second) == ((0, 2) if holder else (0 if resume else 2, 0))
    if holder:  # the process ID is written after the lock is taken
        assert f"process {first}" in others.said or (at < 11 and "another process" in others.said)
    assert "Traceback" not in forks.said + others.said


@pytest.mark.parametrize("at", [1, 3, 4, 5, 6])
def test_two_trainings_on_one_new_feature_cache_lose_nothing(at, forks, others, tmp_path):
    """The first is halted in the cache, the second fills all of its rows, then the first continues."""
    flags = ["--dataset", "cifar10", "--image-size", "32", "--backbone", "efficientnet-lite0", "--bits", "8"]
    flags += ["--epochs", "1", "--batch", "8", "--views", "2", "--query-limit", "4"]
    lines = []
    for name, n in (("first", "16"), ("second", "24")):
        seed = str(1000 + at)  # features of their own
        limits = ["--train-limit", n, "--database-limit", n, "--split-seed", seed]
        lines.append(["train", *flags, *limits, "--run", tmp_path / name])
    below = cache_dir() / "features"
    first = forks.start(lines[0], at=at, below=below, halt=True)
    assert halted(first), forks.said
    assert others.run(lines[1]) == 0, others.said
    let_go(first)
    assert forks.wait() == 0, forks.said
    for marks in below.rglob("*.done.npy"):
        done = np.load(marks)
        rows = np.fromfile(str(marks).replace(".done.npy", ".f16"), np.float16).reshape(len(done), -1)
        assert done.sum() == len(np.flatnonzero(rows.any(1)))  # and no mark is lost
        assert done.any() and rows[done].any(1).all() and np.isfinite(rows[done]).all()
