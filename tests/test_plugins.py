"""Custom rules, losses and backbones: they work, errors take one line, and opening a run executes no code."""

import json

import numpy as np
import pytest
import torch

from tests.conftest import TINY, refused
from transclipped import clipping, losses, plugins
from transclipped.analysis.benchmarks import clipping_of
from transclipped.analysis.clipping.dials import dial
from transclipped.analysis.clipping.report import batch, report
from transclipped.cli import main
from transclipped.config import ClippingConfig, LossConfig
from transclipped.errors import InputError
from transclipped.experiments.lab.sweep import Sweep
from transclipped.losses import training_loss
from transclipped.models import custom
from transclipped.runs.run import RunDir

WHOLE = """
import torch
from transclipped.plugins import register_backbone, register_loss, register_rule

@register_rule("half")
def half(similarity, candidates, config):
    return similarity > similarity.masked_fill(~candidates, 0).mean(), None

@register_loss("pull")
def pull(similarity, clipped, *, clipping, temperature, epoch):
    n = len(similarity)
    return 1 - similarity[torch.arange(n), torch.arange(n).roll(n // 2)]

@register_backbone("thumbnails")
class Thumbnails(torch.nn.Module):
    num_features = 48
    image_size = 32

    def forward(self, images):
        return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
"""


@pytest.fixture(autouse=True)
def forget(monkeypatch, own_registries):
    """Undo what a test loads and registers."""
    monkeypatch.setattr(plugins, "_loaded", {})


def write(path, text=WHOLE):
    path.write_text(text)
    return path


@pytest.fixture
def trained(tmp_path):
    file, run = write(tmp_path / "mine.py"), tmp_path / "run"
    words = ["train", *TINY[:-4], "--plugin", file, "--run", run]  # without a backbone and its size
    assert main([*map(str, words), "--clip", "half", "--loss", "pull", "--backbone", "thumbnails"]) == 0
    return run, file


def test_run_uses_all_three_and_can_be_repeated(trained, tmp_path):
    run, file = trained
    record = RunDir(run).record
    assert record["plugin"] == str(file) and record["width"] == 48
    assert record["loss"]["name"] == "pull" and record["clipping"]["rule"] == "half"
    assert (run / "plugin.py").read_text() == WHOLE
    words = record["command"].split()[3:]
    words[words.index("--run") + 1] = str(tmp_path / "again")
    assert main(words) == 0
    assert (RunDir(run).retrieval().codes == RunDir(tmp_path / "again").retrieval().codes).all()


def test_opening_a_run_does_not_execute_its_code(trained, capsys, monkeypatch):
    run, file = trained
    for registry in (clipping.RULES, losses.LOSSES, custom.BACKBONES):
        for name in ("half", "pull", "thumbnails"):
            registry.pop(name, None)
    monkeypatch.setattr(plugins, "_loaded", {})
    assert "--plugin" in refused(capsys, "evaluate", "--run", run)
    assert "half" not in clipping.RULES
    assert "--plugin" in refused(capsys, "train", "--run", run, "--resume")
    assert main(["evaluate", "--run", str(run), "--plugin", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_queries"] == 40


def test_environment_variable_names_plug_ins(trained, capsys, monkeypatch):
    run, file = trained
    custom.BACKBONES.clear()
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setenv("TRANSCLIPPED_PLUGINS", str(file))
    item = str(RunDir(run).retrieval().database_ids[0])
    assert main(["search", "--id", item, "--run", str(run)]) == 0
    assert main(["evaluate", "--run", str(run)]) == 0


def test_changed_file_is_executed_again(tmp_path):
    file = write(tmp_path / "mine.py", WHOLE)
    plugins.load(file)
    write(file, WHOLE.replace('"half"', '"other"'))
    plugins.load(file)
    assert "other" in clipping.RULES


@pytest.mark.parametrize(
    ("text", "named"),
    [("import no_such_module", "no_such_module"), ("def x(:\n", "SyntaxError"), ("1 / 0", "ZeroDivisionError")],
)
def test_broken_files_end_in_one_line(tmp_path, capsys, text, named):
    file = write(tmp_path / "broken.py", text)
    message = refused(capsys, "train", *TINY, "--plugin", file, "--run", tmp_path / "run")
    assert named in message and "broken.py" in message
    assert not (tmp_path / "run").exists()


def test_missing_files_and_unknown_names_end_in_one_line(tmp_path, capsys):
    run = ["--run", tmp_path / "run"]
    assert "gone.py" in refused(capsys, "train", *TINY, "--plugin", tmp_path / "gone.py", *run)
    assert "not a Python file" in refused(capsys, "train", *TINY, "--plugin", write(tmp_path / "x.txt"), *run)
    assert "loss.name" in refused(capsys, "train", *TINY, "--loss", "pull", *run)


def loss_of(rule="none", loss="nt-xent"):
    g = torch.Generator().manual_seed(0)
    z, words = torch.randn(8, 4, generator=g), torch.randn(1, 4, 4, generator=g)
    settings = {"clipping": ClippingConfig(rule=rule), "loss": LossConfig(name=loss)}
    return training_loss(z, torch.full((8, 1, 4), 0.25), words, detect=z, **settings)


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        *(("rule", result) for result in ("None", "similarity, None", "candidates[:1], None", "1 / 0")),
        *(("loss", result) for result in ("None", "similarity", "similarity.sum()", "missing")),
    ],
)
def test_wrong_results_raise_with_the_name(tmp_path, kind, result):
    given = {"rule": "candidates, config", "loss": "clipped, *, clipping, temperature, epoch"}[kind]
    text = f"from transclipped.plugins import register_{kind}\n@register_{kind}('wrong')\n"
    plugins.load(write(tmp_path / "wrong.py", f"{text}def wrong(similarity, {given}):\n    return {result}\n"))
    with pytest.raises(InputError, match=f"{kind} 'wrong'"):
        loss_of(**{kind: "wrong"})


def test_registered_loss_is_minimised(tmp_path):
    plugins.load(write(tmp_path / "mine.py"))
    parts = loss_of(loss="pull")
    assert parts.per_anchor.min() >= 0 and parts.per_anchor.max() <= 2
    assert not torch.allclose(parts.contrastive, loss_of().contrastive)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("return images", "num_features"),
        ("return images.mean((1, 2, 3))", "num_features"),
        ("raise OSError('no weights')", "no weights"),
    ],
)
def test_wrong_backbones_end_in_one_line(tmp_path, capsys, body, named):
    text = WHOLE.replace("return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)", body)
    file = write(tmp_path / "mine.py", text)
    flags = [*TINY[:-4], "--plugin", file, "--backbone", "thumbnails", "--run", tmp_path / "run"]
    assert named in refused(capsys, "train", *flags)


def test_one_registration_describes_a_rule_everywhere(tmp_path, capsys, monkeypatch):
    """Help, sweep, tables, form labels and dials use the facts of the registration."""
    text = """
from dataclasses import replace
from transclipped.plugins import SHARE, register_rule
@register_rule("mine", amount=replace(SHARE, symbol="m", key="m", tried=(0.1, 0.2, 0.4)), does="50% of them")
def mine(similarity, candidates, config):
    return similarity > 1 - 2 * config.fraction, None
"""
    monkeypatch.setenv("TRANSCLIPPED_PLUGINS", str(write(tmp_path / "mine.py", text)))
    for command, last in ((["train"], ",mine(default"), (["lab", "sweep"], ",mine}")):
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        assert last in "".join(capsys.readouterr().out.split())
    assert Sweep(rule="mine", amounts=(0.1,)).settings()[1].fraction == 0.1
    config = ClippingConfig(rule="mine", fraction=0.2)
    assert clipping_of(config) == "mine m = 0.2"
    views = batch(torch.randn(16, 4, generator=torch.Generator().manual_seed(0)), labels=np.arange(8) % 3)
    counts = dial(views, config)
    for k in (0, 40, 100):
        setting = ClippingConfig(rule="mine", fraction=float(counts.amounts[k]))
        assert counts.clipped[k] == report(views, setting, temperature=0.3).mask.sum()
    assert 0 == counts.clipped[0] < counts.clipped[40] < counts.clipped[100]
