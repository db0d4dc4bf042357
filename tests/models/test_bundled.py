"""The bundled weights match the measurements and the model cards."""

import hashlib
import re
import subprocess
import sys

import pytest
import torch

from tests.benchmarks.backbone_quality import subset_map
from transclipped.config import BackboneConfig
from transclipped.models import zoo
from transclipped.models.backbone import load_backbone, weights_file
from transclipped.models.hybrid import STEM_PREFIX as STEM
from transclipped.models.weights import load_tensors
from transclipped.models.zoo import BUNDLED, CNN, DISTILLED, HYBRID, MODELS, PHOTOGRAPHS, available
from transclipped.utils.files import read_json

MEASURED = read_json(MODELS / "quality.json")
HYBRIDS = [name for name in BUNDLED if name not in (CNN, PHOTOGRAPHS)]
LARGEST = 9.8e6  # bytes of both hybrids together
TOLERANCE = 0.005  # mAP; float32 kernels differ between processors


def test_every_bundled_backbone_has_its_files():
    assert available() == list(BUNDLED)
    assert all(backbone.card.is_file() for backbone in BUNDLED.values())
    assert set(BUNDLED) == set(MEASURED)


def test_a_backbone_without_its_files_is_not_available(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    assert available() == []
    (tmp_path / f"{HYBRID}.safetensors").touch()
    assert available() == []  # its stem is the CNN's
    (tmp_path / f"{CNN}.safetensors").touch()
    assert available() == [CNN, HYBRID]
    (tmp_path / f"{DISTILLED}.safetensors").touch()
    assert available() == list(BUNDLED)


def test_the_zoo_loads_no_torch():
    program = "import sys, transclipped.models.zoo; print({'torch', 'timm'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize("name", BUNDLED)
def test_the_file_is_the_one_that_was_measured(name):
    assert hashlib.sha256(weights_file(BackboneConfig(name=name)).read_bytes()).hexdigest() == MEASURED[name]["sha256"]


def test_hybrids_store_only_trained_tensors_of_the_stem_and_stay_small():
    stems = {name: [key for key in load_tensors(BUNDLED[name].weights) if STEM in key] for name in HYBRIDS}
    assert not stems[DISTILLED] and stems[HYBRID]
    assert all(re.search(r"\.blocks\.[34]\..*(conv_pwl?|bn\d)\.(weight|bias)$", key) for key in stems[HYBRID])
    assert sum(weights_file(BackboneConfig(name=name)).stat().st_size for name in HYBRIDS) < LARGEST


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_retrieval_on_a_fixed_subset_is_as_measured(name):
    assert subset_map(name) == pytest.approx(MEASURED[name]["subset_map"], abs=TOLERANCE)


@pytest.mark.parametrize("name", BUNDLED)
def test_card_quotes_the_measurements(name):
    card = BUNDLED[name].card.read_text(encoding="utf-8")
    measured = MEASURED[name]
    for dataset in ("cifar10", "caltech101"):
        row = re.search(rf"\| {dataset} \| (\d+) px \| ([\d.]+) \| ([\d.]+) \|", card)
        assert row, f"{name}.md has no row for {dataset}"
        size, accuracy, precision = row.groups()
        expected = measured[dataset]
        assert (int(size), accuracy) == (expected["size"], f"{expected['accuracy']:.3f}")
        assert precision == f"{expected['map']:.3f}"


@pytest.mark.parametrize("name", HYBRIDS)
@pytest.mark.parametrize("size", [64, 96, 160, 256])
def test_a_hybrid_takes_every_size(name, size):
    backbone = load_backbone(BackboneConfig(name=name, image_size=size))
    with torch.inference_mode():
        result = backbone(torch.randn(2, 3, size, size))
    assert result.shape == (2, 256) and torch.isfinite(result).all()
