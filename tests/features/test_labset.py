"""The lab set: 8 bits lose little, files are checked, and the bundled one is correct."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.small_lab import small_lab
from transclipped.config import ClippingConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.features import labset
from transclipped.models.head import Head


def cosine(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_eight_bits_keep_the_direction_of_an_embedding():
    values = np.random.default_rng(0).normal(size=(50, 256)).astype(np.float32) * np.logspace(-2, 2, 50)[:, None]
    numbers, scales = labset.to_int8(values)
    assert numbers.dtype == np.int8 and np.abs(numbers).max(1).tolist() == [127] * 50
    again = labset.from_int8(numbers, scales).astype(np.float32)
    assert cosine(values, again).min() > 0.9998
    assert np.abs(again / values - 1)[np.abs(values) > np.abs(values).max(1, keepdims=True) / 2].max() < 0.02


def test_a_row_of_zeros_stays_zero():
    numbers, scales = labset.to_int8(np.zeros((2, 8), np.float32))
    assert not numbers.any() and np.isfinite(labset.from_int8(numbers, scales)).all()


def test_saved_sets_are_restored(tmp_path):
    lab = small_lab()
    labset.save(tmp_path, lab)
    again = labset.load(tmp_path)
    for name, value in vars(lab).items():
        assert np.array_equal(getattr(again, name), value) if isinstance(value, np.ndarray) else True
    assert again.about == lab.about and again.rows.dtype == np.int64


def test_missing_damaged_and_other_files_are_errors(tmp_path):
    with pytest.raises(InputError, match="lab build"):
        labset.load(tmp_path)
    (tmp_path / labset.FILE).write_bytes(b"\x00not tensors")
    with pytest.raises(InputError, match="damaged"):
        labset.load(tmp_path)
    labset.save_tensors(tmp_path / labset.FILE, {"views": torch.zeros(1)})
    with pytest.raises(InputError, match="not a lab set"):
        labset.load(tmp_path)
    lab = small_lab()
    labset.save(tmp_path, replace(lab, labels=lab.labels[:-1]))
    with pytest.raises(InputError, match="inconsistent"):
        labset.load(tmp_path)


def test_heads_are_restored_in_half_precision(tmp_path):
    lab = small_lab()
    config = labset.lab_config(lab, clipping=ClippingConfig(), temperature=0.3)
    head = Head.from_config(lab.width, config.quantizer, generator=torch.Generator().manual_seed(0))
    labset.save_heads(tmp_path, {"one": head})
    again = labset.load_head(lab, "one", tmp_path)
    x = torch.from_numpy(lab.features[0])
    assert torch.allclose(head.embed(x), again.embed(x), atol=5e-3)
    with pytest.raises(InputError, match="no head 'two'; choose from one"):
        labset.load_head(lab, "two", tmp_path)
    with pytest.raises(InputError, match="another lab set"):
        labset.load_head(small_lab(width=8), "one", tmp_path)


def test_the_bundled_set_separates_queries_and_is_small():
    lab = labset.load()
    assert lab.views.shape == (3, 5000, 256) and len(lab.query_rows) == 1000
    assert lab.rows.max() < 50_000 <= lab.query_rows.min()
    assert len(np.unique(lab.rows)) == 5000
    assert not lab.about["projected"]
    assert sum(path.stat().st_size for path in labset.FOLDER.glob("*")) <= 4.5e6
    for name in labset.STAGES:
        labset.load_head(lab, name)


def test_labels_of_the_bundled_set_are_those_of_its_images():
    lab, images = labset.load(), load(labset.DATA)
    assert np.array_equal(images.labels[lab.rows], lab.labels)
    assert np.array_equal(images.labels[lab.query_rows], lab.query_labels)
    assert images.class_names == lab.class_names
