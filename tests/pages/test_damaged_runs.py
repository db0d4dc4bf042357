"""A damaged run: its own pages report the damage, and those of other runs are unaffected."""

import json
import shutil

import pytest

from tests.pages.conftest import opened, words

PAGES = ["overview", "anatomy", "clipping", "codebooks", "embeddings", "retrieval", "train", "benchmarks"]
DAMAGE = {  # file and content
    "metrics of a list": ("metrics.json", "[]"),
    "metrics of texts": ("metrics.json", '{"modes": {"asymmetric": {"map": "x"}}}'),
    "a heartbeat of null": ("status.json", '{"v": 1, "state": "running", "pid": 1, "heartbeat": null}'),
    "settings of nothing": ("config.json", "{}"),
    "a cut head": ("model.safetensors", "\x08"),
    "arrays of nothing": ("retrieval.npz", ""),
}


@pytest.fixture
def two(finished):
    """A finished run "tiny" and the path of its copy "zz", to be damaged."""
    shutil.copytree(finished, finished.parent / "zz")
    return finished.parent / "zz"


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("page", ["overview", "train", "benchmarks"])
def test_a_damaged_run_affects_no_page_of_another(two, kind, page):
    name, content = DAMAGE[kind]
    (two / name).write_text(content)
    app = opened(page, run="tiny")
    assert not app.error
    assert any("Damaged" in caption.value and "zz" in caption.value for caption in app.sidebar.caption)


@pytest.mark.parametrize("kind", DAMAGE)
def test_its_own_pages_name_the_damaged_file(two, kind):
    name, content = DAMAGE[kind]
    (two / name).write_text(content)
    for page in PAGES:
        app = opened(page, run="zz")
        assert name in words(app).replace("\\", ""), page
        if page not in ("train", "benchmarks"):
            assert [name in error.value.replace("\\", "") for error in app.main.error] == [True], page


def test_a_run_with_a_future_heartbeat_counts_as_interrupted(two):
    for name in ("metrics.json", "retrieval.npz"):
        (two / name).unlink()
    status = {"v": 1, "state": "running", "pid": 2**22 + 1, "heartbeat": 4e9}
    (two / "status.json").write_text(json.dumps(status))
    for page in ("overview", "train"):
        assert "interrupted" in words(opened(page, run="zz"))


def test_curves_ignore_lines_that_are_not_events(two):
    lines = '{"kind": "epoch", "epoch": "x", "step": null, "loss": "y"}\n{"kind": "step", "epoch": 1}\n[1]\n'
    (two / "events.jsonl").write_text(lines + (two / "events.jsonl").read_text())
    for page in ("train", "codebooks", "overview"):
        assert not opened(page, run="zz").error


def test_compared_runs_may_be_damaged(two):
    (two / "config.json").write_text("{}")
    opened("train", run="tiny", part="compare", compare="zz")
    opened("train", run="zz", part="compare")
    opened("train", run="zz", part="keep")
