"""Which run a visitor sees before choosing one."""

import pytest

from transclipped.config import BackboneConfig, ClippingConfig, DataConfig, QuantizerConfig, RunConfig
from transclipped.runs.run import RunDir, write_config
from transclipped.ui import runs


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty folders of own and of bundled runs."""
    monkeypatch.setenv("TRANSCLIPPED_RUNS", str(tmp_path / "own"))
    monkeypatch.setattr(runs, "BUNDLED", tmp_path / "bundled")
    return tmp_path / "own", tmp_path / "bundled"


def put(folder, name, *, backbone="efficientnet-lite0", rule="none", bits=32, protocol="I", dataset="cifar10"):
    config = RunConfig(
        data=DataConfig(dataset=dataset, protocol=protocol), backbone=BackboneConfig(name=backbone),
        quantizer=QuantizerConfig(bits=bits), clipping=ClippingConfig(rule=rule),
    )  # fmt: skip
    (folder / name).mkdir(parents=True)
    write_config(folder / name, config)


def test_the_first_run_is_a_bundled_clipped_hybrid_of_the_usual_length(folders):
    own, bundled = folders
    put(own, "mine", backbone="hybrid-vit", rule="rank")
    put(bundled, "a-hybrid-clipped", backbone="hybrid-vit", rule="rank", dataset="caltech101")
    put(bundled, "cnn-clipped", rule="adaptive")
    assert runs.first() == "cnn-clipped"
    put(bundled, "hybrid-none", backbone="hybrid-vit")
    assert runs.first() == "hybrid-none"
    put(bundled, "hybrid-16-clipped", backbone="hybrid-vit", rule="adaptive", bits=16)
    assert runs.first() == "hybrid-16-clipped"
    put(bundled, "hybrid-32-II-clipped", backbone="hybrid-vit", rule="adaptive", protocol="II")
    put(bundled, "hybrid-32-clipped", backbone="hybrid-vit", rule="adaptive")
    assert runs.first() == "hybrid-32-clipped"


def test_own_runs_come_first_where_none_is_bundled(folders):
    assert runs.first() is None
    put(folders[0], "mine")
    assert runs.first() == "mine"


def test_a_damaged_bundled_run_is_not_the_first(folders):
    put(folders[1], "a-broken")
    (folders[1] / "a-broken" / "config.json").write_text("{")
    put(folders[1], "b-cnn")
    assert runs.first() == "b-cnn"


def test_a_bundled_run_is_looked_at_once_and_an_own_one_each_time(folders, monkeypatch):
    own, bundled = folders
    put(own, "mine", bits=16)
    put(bundled, "ours", bits=16)
    looked = []
    stamp = RunDir._stamp
    monkeypatch.setattr(RunDir, "_stamp", lambda run: (looked.append(run.name), stamp(run))[1])
    named = [{name: (run.fingerprint, run.problem()) for name, run in runs.all_runs().items()} for _ in range(3)]
    assert looked.count("ours") == 2 and looked.count("mine") == 6
    write_config(own / "mine", RunConfig())
    named.append({name: (run.fingerprint, run.problem()) for name, run in runs.all_runs().items()})
    assert named[0] == named[1] == named[2] and list(named[0]) == ["mine", "ours"]
    assert named[3]["ours"] == named[0]["ours"] and named[3]["mine"] != named[0]["mine"]
    put(own, "ours", bits=64)
    assert runs.all_runs()["ours"].config.quantizer.bits == 64
