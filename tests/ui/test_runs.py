"""The default run, and how often runs are read."""

import pytest

from transclipped.config import BackboneConfig, ClippingConfig, DataConfig, QuantizerConfig, RunConfig
from transclipped.runs.run import RunDir, write_config
from transclipped.ui import runs


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty folders of the user's and of bundled runs."""
    monkeypatch.setenv("TRANSCLIPPED_RUNS", str(tmp_path / "own"))
    monkeypatch.setattr(runs, "BUNDLED", tmp_path / "bundled")
    return tmp_path / "own", tmp_path / "bundled"


def put(folder, name, *, backbone="efficientnet-lite0", rule="none", bits=32, protocol="I", dataset="cifar10"):
    parts = {"data": DataConfig(dataset=dataset, protocol=protocol), "backbone": BackboneConfig(name=backbone)}
    parts |= {"quantizer": QuantizerConfig(bits=bits), "clipping": ClippingConfig(rule=rule)}
    (folder / name).mkdir(parents=True)
    write_config(folder / name, RunConfig(**parts))


def test_the_default_is_a_bundled_clipped_hybrid_of_default_code_length(folders):
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
    put(bundled, "a-distilled-clipped", backbone="hybrid-vit-distilled", rule="rank")
    assert runs.first() == "hybrid-32-clipped"  # its backbone is the default one


def test_a_users_run_is_the_default_if_none_is_bundled(folders):
    assert runs.first() is None
    put(folders[0], "mine")
    assert runs.first() == "mine"


def test_a_damaged_run_is_not_the_default(folders):
    put(folders[1], "a-broken")
    (folders[1] / "a-broken" / "config.json").write_text("{")
    put(folders[1], "b-cnn")
    assert runs.first() == "b-cnn"


def test_a_bundled_run_is_read_once_and_a_users_run_each_time(folders, monkeypatch):
    own, bundled = folders
    put(own, "mine", bits=16)
    put(bundled, "ours", bits=16)
    read = []
    stamp = RunDir._stamp
    monkeypatch.setattr(RunDir, "_stamp", lambda run: (read.append(run.name), stamp(run))[1])

    def states() -> dict:
        return {name: (run.fingerprint, run.problem()) for name, run in runs.all_runs().items()}

    before = [states() for _ in range(3)]
    assert read.count("ours") == 2 and read.count("mine") == 6
    write_config(own / "mine", RunConfig())
    after = states()
    assert before[0] == before[1] == before[2] and list(before[0]) == ["mine", "ours"]
    assert after["ours"] == before[0]["ours"] and after["mine"] != before[0]["mine"]
    put(own, "ours", bits=64)
    assert runs.all_runs()["ours"].config.quantizer.bits == 64
