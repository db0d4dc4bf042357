"""Anatomy of an image against timm's outputs, loops from the equations, and search."""

import math
from itertools import pairwise

import numpy as np
import pytest
import timm
import torch
from torch import nn

from transclipped.analysis import anatomy
from transclipped.config import QuantizerConfig
from transclipped.datasets.views import render
from transclipped.models.backbone import Backbone
from transclipped.models.head import Head
from transclipped.models.hybrid import hybrid_vit
from transclipped.models.quantizer import ProductQuantizer
from transclipped.retrieval.coding import product
from transclipped.retrieval.index import PQIndex

HALF = (0.5, 0.5, 0.5)


def microscope(network: nn.Module, size: int) -> anatomy.Microscope:
    return anatomy.Microscope(Backbone(network, name="test", image_size=size, mean=HALF, std=HALF))


def timm_model(name: str, size: int, **options) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=0, **options)


def some_pixels(size: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def seen_as(tokens: int, *, prefix: int = 0, class_token: bool = False) -> anatomy.AnatomyView:
    side = math.isqrt(tokens - prefix)
    return anatomy.AnatomyView((side, side), None, None, prefix, class_token, np.zeros(1))


@pytest.fixture(scope="module")
def hybrid() -> anatomy.Microscope:
    torch.manual_seed(0)
    return microscope(hybrid_vit(), 96)


@pytest.fixture
def head() -> Head:
    return Head.from_config(24, QuantizerConfig(bits=32, dim=32), generator=torch.Generator().manual_seed(1)).eval()


def stochastic(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1]).astype(np.float32)


def unit_vectors(*shape: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_hybrid_attends_over_six_by_six_places_and_has_the_backbones_embedding(hybrid):
    view = hybrid.look(some_pixels(32))
    assert view.grid == (6, 6) and view.prefix == 0 and not view.class_token
    assert view.attention.shape == (4, 4, 36, 36)
    np.testing.assert_allclose(view.attention.sum(-1), 1, atol=1e-5)
    pixels = some_pixels(32)
    with torch.inference_mode():
        expected = hybrid.backbone(render(pixels[None], None, size=96, mean=HALF, std=HALF))[0].numpy()
    np.testing.assert_allclose(hybrid.look(pixels).embedding, expected, rtol=1e-4, atol=1e-5)


def test_attention_is_the_softmax_of_queries_and_keys(hybrid):
    """Of the first block, head by head, from its input tokens."""
    network, tokens = hybrid.backbone.network, []
    handle = network.blocks[0].attn.register_forward_pre_hook(lambda _, inputs: tokens.append(inputs[0]))
    view = hybrid.look(some_pixels(32))
    handle.remove()
    attn = network.blocks[0].attn
    with torch.inference_mode():
        q, k, _ = (attn.qkv.weight @ tokens[0][0].T + attn.qkv.bias[:, None]).view(3, 4, 64, 36)
    for h in range(4):
        for i in (0, 17, 35):
            logits = [float(q[h, :, i] @ k[h, :, j]) / 8 for j in range(36)]
            weights = np.exp(np.array(logits) - max(logits))
            np.testing.assert_allclose(view.attention[0, h, i], weights / weights.sum(), rtol=1e-3, atol=1e-6)


def test_later_views_do_not_change_earlier_ones(hybrid):
    first = hybrid.look(some_pixels(32, seed=1))
    copy = first.attention.copy()
    second = hybrid.look(some_pixels(32, seed=2))
    np.testing.assert_array_equal(first.attention, copy)
    assert not np.allclose(first.attention, second.attention)


def test_class_token_is_detected_and_used():
    view = microscope(timm_model("vit_tiny_patch16_224", 64, img_size=64), 64).look(some_pixels(64))
    assert view.class_token and view.prefix == 1 and view.grid == (4, 4)
    assert view.attention.shape == (12, 3, 17, 17)
    weights = anatomy.layer(view.attention, 3, 1)
    np.testing.assert_array_equal(anatomy.over_places(weights, view), view.attention[3, 1, 0, 1:])
    np.testing.assert_array_equal(anatomy.over_places(weights, view, 5), view.attention[3, 1, 6, 1:])


@pytest.mark.parametrize(("name", "size", "grid"), [("resnet10t", 64, (2, 2)), ("tf_efficientnet_lite0", 144, (5, 5))])
def test_convolutional_network_has_energy_and_no_attention(name, size, grid):
    scope = microscope(timm_model(name, size), size)
    pixels = some_pixels(size)
    view = scope.look(pixels)
    assert view.attention is None and view.grid == grid
    with torch.inference_mode():
        last = scope.backbone.network.forward_features((pixels[None] / 255 - 0.5) / 0.5)[0].numpy()
    squares = [[sum(c**2 for c in last[:, y, x]) for x in range(grid[1])] for y in range(grid[0])]
    np.testing.assert_allclose(view.energy, np.ravel(squares) / np.sum(squares), rtol=1e-3)


def test_attention_within_windows_is_not_reported():
    options = {"img_size": 64, "window_size": 2, "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 2)}
    view = microscope(timm_model("swin_tiny_patch4_window7_224", 64, **options), 64).look(some_pixels(64))
    assert view.attention is None and view.grid == (8, 8)
    assert view.energy.sum() == pytest.approx(1, abs=1e-5)


def test_rollout_is_the_product_of_halved_layers():
    attention = stochastic(3, 2, 5, 5)
    expected = np.eye(5)
    for layer in attention.astype(np.float64):
        mixed = np.zeros((5, 5))
        for i, j in np.ndindex(5, 5):
            mixed[i, j] = 0.5 * (layer[0, i, j] + layer[1, i, j]) / 2 + 0.5 * (i == j)
        expected = np.array([[sum(mixed[i, k] * expected[k, j] for k in range(5)) for j in range(5)] for i in range(5)])
    np.testing.assert_allclose(anatomy.rollout(attention), expected, atol=1e-7)


def test_rollout_of_even_and_of_self_attention_has_a_closed_form():
    """Each layer keeps half: after L layers 2^−L of a token stays in place, the rest is spread evenly."""
    even = np.full((3, 2, 4, 4), 0.25, np.float32)
    expected = 2**-3 * np.eye(4) + (1 - 2**-3) / 4
    np.testing.assert_allclose(anatomy.rollout(even), expected, atol=1e-12)
    alone = np.broadcast_to(np.eye(4, dtype=np.float32), (3, 2, 4, 4))
    np.testing.assert_allclose(anatomy.rollout(alone), np.eye(4))


def test_attention_of_the_embedding_is_the_mean_over_places_without_prefix():
    weights = stochastic(9, 9)
    view = seen_as(9)
    means = [np.mean([weights[i, j] for i in range(9)]) for j in range(9)]
    np.testing.assert_allclose(anatomy.over_places(weights, view), means, rtol=1e-5)
    np.testing.assert_array_equal(anatomy.over_places(weights, view, 4), weights[4])
    weights = stochastic(10, 10)
    np.testing.assert_allclose(anatomy.over_places(weights, seen_as(10, prefix=1)), weights[1:, 1:].mean(0), rtol=1e-6)


def test_heads_are_averaged_unless_one_is_chosen():
    attention = stochastic(2, 3, 4, 4)
    np.testing.assert_allclose(anatomy.layer(attention, 1), sum(attention[1]) / 3, rtol=1e-6)
    np.testing.assert_array_equal(anatomy.layer(attention, 1, 2), attention[1, 2])


def test_patches_are_the_image_row_by_row():
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    patches = anatomy.cut(image, (3, 2))
    assert patches.shape == (6, 4, 6, 3)
    np.testing.assert_array_equal(patches[3], image[4:8, 6:12])
    with pytest.raises(ValueError, match="do not divide"):
        anatomy.cut(image, (5, 5))


@pytest.mark.parametrize(
    ("grid", "native", "side"), [((6, 6), 32, 384), ((2, 2), 32, 384), ((5, 5), 32, 480), ((14, 14), None, 392)]
)
def test_side_is_a_multiple_of_patches_and_pixels(grid, native, side):
    assert anatomy.side_for(grid, native) == side
    assert side % grid[0] == 0 and side % (native or 1) == 0


def test_side_is_bounded_where_whole_pixels_do_not_fit():
    assert anatomy.side_for((13, 13), 32) == 390


def test_projection_is_the_heads(head):
    embedding = np.random.default_rng(0).normal(size=24).astype(np.float32)
    result = anatomy.project(head, embedding)
    with torch.inference_mode():
        expected = head.embed(torch.from_numpy(embedding)[None])[0].numpy()
    np.testing.assert_allclose(result.unit, expected, atol=1e-6)
    np.testing.assert_allclose(result.raw / result.length[:, None], result.unit, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.5, 10, 500])
def test_soft_assignment_is_the_quantizers(alpha):
    quantizer = ProductQuantizer(dim=32, codebooks=4, alpha=alpha)
    x = unit_vectors(4, 8)
    with torch.inference_mode():
        expected = quantizer(torch.from_numpy(x)[None]).assignment[0].numpy()
        codebooks = quantizer.codewords().numpy()
    result = anatomy.assign(x, codebooks, alpha)
    np.testing.assert_allclose(result.p, expected, rtol=2e-3, atol=1e-6)
    for m in range(4):
        bits = -sum(p * math.log2(p) for p in result.p[m] if p > 0)
        assert result.bits[m] == pytest.approx(bits, abs=1e-6)
        assert result.order[m, 0] == result.p[m].argmax()


def test_sharper_assignment_has_less_entropy_and_ends_at_the_code():
    x, codebooks = unit_vectors(2, 8), unit_vectors(2, 16, 8, seed=1)
    result = [anatomy.assign(x, codebooks, alpha) for alpha in (0, 1, 10, 100, 1e4)]
    assert result[0].bits == pytest.approx([4, 4])
    assert all((one.bits >= other.bits).all() for one, other in pairwise(result))
    np.testing.assert_array_equal(result[-1].order[:, 0], anatomy.code_of(x, codebooks))
    assert np.isfinite(result[-1].p).all() and result[-1].bits.max() < 0.01


def test_numbers_are_written_in_three_bases():
    expected = [("0", "00", "00000000"), ("173", "AD", "10101101"), ("255", "FF", "11111111")]
    assert anatomy.spelled(np.array([0, 173, 255], np.uint8), 256) == expected
    assert anatomy.spelled(np.array([5], np.uint8), 16) == [("5", "05", "0101")]


def test_entries_of_the_tables_sum_to_the_scores_of_search():
    rng = np.random.default_rng(0)
    codebooks, query = unit_vectors(4, 256, 8, seed=1), unit_vectors(4, 8, seed=2)
    codes = rng.integers(0, 256, (500, 4), np.uint8)
    hits = PQIndex(codebooks, codes).search(query.reshape(1, -1), 500)
    tables = anatomy.tables(query, codebooks)
    for score, row in zip(hits.scores[0], hits.rows[0], strict=True):
        naive = sum(float(query[m] @ codebooks[m, codes[row, m]]) for m in range(4)) / 4
        assert product.picked(tables, codes[row]).sum() == pytest.approx(naive, abs=1e-6)
        assert naive == pytest.approx(score, abs=1e-6)


def test_tables_are_largest_at_the_code_of_the_query():
    codebooks, query = unit_vectors(4, 64, 8, seed=1), unit_vectors(4, 8, seed=2)
    np.testing.assert_array_equal(anatomy.tables(query, codebooks).argmax(1), anatomy.code_of(query, codebooks))


def test_tokens_that_form_no_square_have_no_map():
    assert anatomy._energy(torch.zeros(1, 7, 4), 0, 4) == (None, None)


def test_only_a_network_with_a_stem_says_so(hybrid):
    assert hybrid.look(some_pixels(96)).stem
    assert not microscope(timm_model("vit_tiny_patch16_224", 64, img_size=64), 64).look(some_pixels(64)).stem
