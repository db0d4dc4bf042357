"""Head and network: intra-normalised codes, saved heads, and frozen blocks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from transclipped.config import QuantizerConfig
from transclipped.errors import InputError
from transclipped.models.head import Head, Network, embed_in_batches, head_from_state

CONFIG = QuantizerConfig(bits=12, dim=12, codewords=16)  # M = 3, K = 16, d = 4


def head(width=10, seed=0):
    return Head.from_config(width, CONFIG, generator=torch.Generator().manual_seed(seed))


def features(rows=20, width=10, seed=1):
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float16)


def test_every_sub_vector_is_of_unit_length():
    codes = head()(torch.from_numpy(features()))
    assert codes.continuous.shape == codes.quantized.shape == (20, 3, 4)
    assert codes.assignment.shape == (20, 3, 16) and codes.continuous.dtype == torch.float32
    torch.testing.assert_close(codes.continuous.norm(dim=-1), torch.ones(20, 3))


def test_embedding_is_projection_then_intra_normalisation():
    model = head()
    with torch.no_grad():
        model.projection.bias.normal_(generator=torch.Generator().manual_seed(2))
    x = torch.from_numpy(features()).double()
    x = x / x.norm(dim=1, keepdim=True) * 10**0.5
    y = x @ model.projection.weight.double().T + model.projection.bias.double()
    expected = torch.cat([F.normalize(part, dim=1) for part in y.split(4, dim=1)], 1)
    ours = model.embed(torch.from_numpy(features()))
    torch.testing.assert_close(ours.flatten(1).double(), expected, atol=1e-5, rtol=0)


def test_projection_is_not_normalised_and_its_input_is():
    model, x = head(), torch.from_numpy(features()).float()
    assert torch.equal(F.normalize(model.project(x), dim=-1), model.embed(x))
    assert model.project(x).norm(dim=-1).std() > 0.01
    torch.testing.assert_close(head().embed(x), head().embed(100 * x))


def test_sizes_by_keyword_are_those_of_a_configuration():
    ours = Head(10, dim=12, codebooks=3, codewords=16, alpha=4.0, generator=torch.Generator().manual_seed(0))
    assert ours.shape == (3, 16, 4) and ours.quantizer.alpha == 4.0
    assert all(torch.equal(t, ours.state_dict()[name]) for name, t in head().state_dict().items())
    with pytest.raises(InputError, match=r"quantizer\.dim"):
        Head(2**20, dim=64)


def test_only_codebooks_are_exempt_from_weight_decay():
    names = dict(head().named_parameters())
    assert {tuple(names[name].shape) for name in head().no_weight_decay()} == {(3, 16, 4)}


def test_all_zero_features_stay_finite():
    codes = head()(torch.zeros(2, 10, requires_grad=True))
    codes.quantized.sum().backward()
    assert torch.isfinite(codes.quantized).all()


def test_head_keeps_full_precision_under_autocast():
    model, x = head(), torch.from_numpy(features()).float()
    plain = model(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(x)
    for one, other in zip(plain, half, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("batch", [1, 7, 20, 100])
def test_embedding_in_batches_equals_all_at_once(batch, tmp_path):
    model = head()
    features().tofile(tmp_path / "features.f16")
    stored = np.memmap(tmp_path / "features.f16", np.float16, "r", shape=(20, 10))
    continuous, codes = embed_in_batches(model, stored, batch=batch)
    expected = model.embed(torch.from_numpy(features()))
    torch.testing.assert_close(continuous, expected.flatten(1).detach())
    assert torch.equal(codes, model.quantizer.encode(expected)) and codes.dtype == torch.uint8
    assert not continuous.requires_grad


def test_nothing_embeds_to_nothing():
    continuous, codes = embed_in_batches(head(), np.zeros((0, 10), np.float16))
    assert continuous.shape == (0, 12) and codes.shape == (0, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_saved_head_is_restored(dtype):
    model = head()
    state = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    again = head_from_state({**state, "backbone.weight": torch.zeros(1)}, CONFIG, source="a.safetensors")
    assert again.projection.weight.dtype == torch.float32 and not again.training
    assert again.shape == (3, 16, 4)
    torch.testing.assert_close(again.projection.weight, model.projection.weight, atol=1e-3, rtol=1e-3)


def test_head_of_another_shape_names_file_and_shapes():
    state = head().state_dict()
    with pytest.raises(InputError, match=r"a\.safetensors lacks projection\.bias"):
        head_from_state({k: v for k, v in state.items() if k != "projection.bias"}, CONFIG, source="a.safetensors")
    with pytest.raises(InputError, match=r"a\.safetensors holds .*shape \[3, 16, 4\].*\[6, 4, 2\]"):
        head_from_state(state, QuantizerConfig(bits=12, dim=12, codewords=4), source="a.safetensors")


def test_same_generator_same_head():
    assert torch.equal(head(seed=1).projection.weight, head(seed=1).projection.weight)
    assert not torch.equal(head(seed=1).projection.weight, head(seed=2).projection.weight)


def test_network_is_backbone_then_head():
    torch.manual_seed(0)
    backbone, model = nn.Sequential(nn.Flatten(), nn.Linear(12, 10)), head()
    images = torch.randn(4, 3, 2, 2)
    codes = Network(backbone, model)(images)
    torch.testing.assert_close(codes.features, backbone(images))
    torch.testing.assert_close(codes.quantized, model(backbone(images)).quantized)


def test_only_trainable_modules_are_in_training_mode():
    backbone = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5))
    for parameter in backbone[0].parameters():
        parameter.requires_grad_(False)
    network = Network(backbone, head()).train()
    assert [module.training for module in backbone] == [False, True, True, False]
    assert network.head.training
    network.eval()
    assert not any(module.training for module in network.modules())
