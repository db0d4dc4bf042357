"""The product quantizer: soft codes against loops, exact hard codes of codewords, gradients."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.config import QuantizerConfig
from transclipped.errors import InputError
from transclipped.models.quantizer import ProductQuantizer
from transclipped.retrieval.coding.product import encode

SHAPES = [(16, 64, 256), (32, 64, 256), (64, 64, 256), (12, 12, 16), (3, 6, 2)]  # bits, D, K


def quantizer(bits=12, dim=12, codewords=16, *, seed=0, alpha=10.0):
    codebooks = QuantizerConfig(bits=bits, dim=dim, codewords=codewords).codebooks
    generator = torch.Generator().manual_seed(seed)
    return ProductQuantizer(dim, codebooks, codewords, alpha=alpha, generator=generator)


def sub_vectors(rows, pq, *, seed=1, dtype=torch.float32):
    m, _, d = pq.codebooks.shape
    return F.normalize(torch.randn(rows, m, d, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=-1)


@pytest.mark.parametrize(("bits", "dim", "k"), SHAPES)
def test_shapes_follow_from_bits_width_and_codewords(bits, dim, k):
    pq = quantizer(bits, dim, k)
    m = bits // int(math.log2(k))
    assert pq.codebooks.shape == (m, k, dim // m)
    soft = pq(sub_vectors(5, pq))
    assert soft.assignment.shape == (5, m, k) and soft.quantized.shape == (5, m, dim // m)
    assert pq.encode(sub_vectors(5, pq)).shape == (5, m)


def test_sizes_by_keyword_are_those_of_a_configuration():
    generator = torch.Generator().manual_seed(0)
    ours = ProductQuantizer(dim=12, codebooks=3, codewords=16, alpha=4.0, generator=generator)
    assert torch.equal(ours.codebooks, quantizer(bits=12, dim=12, codewords=16).codebooks)
    assert ours.alpha == 4.0 and ProductQuantizer().codebooks.shape == (4, 256, 16)


@pytest.mark.parametrize("wrong", [{"codewords": 100}, {"codebooks": 3}, {"codebooks": 0}, {"alpha": 0.0}, {"dim": 0}])
def test_sizes_that_do_not_fit_are_rejected(wrong):
    with pytest.raises(InputError, match="quantizer"):
        ProductQuantizer(**wrong)


def test_soft_codes_equal_the_loop():
    pq = quantizer(alpha=4.0)
    x = sub_vectors(6, pq)
    soft = pq(x)
    words = pq.codewords().detach().double()
    for b in range(6):
        for m in range(3):
            weights = [math.exp(4.0 * float(x[b, m].double() @ words[m, k])) for k in range(16)]
            p = torch.tensor([w / sum(weights) for w in weights], dtype=torch.float64)
            torch.testing.assert_close(soft.assignment[b, m].double(), p, atol=1e-6, rtol=1e-5)
            mixed = sum(p[k] * words[m, k] for k in range(16))
            torch.testing.assert_close(soft.quantized[b, m].double(), mixed, atol=1e-6, rtol=1e-5)


def test_codewords_have_unit_length_for_any_codebooks():
    pq = quantizer()
    with torch.no_grad():
        pq.codebooks.mul_(torch.rand(3, 16, 1) * 9 + 0.1)
    torch.testing.assert_close(pq.codewords().norm(dim=-1), torch.ones(3, 16))


@pytest.mark.parametrize(("bits", "dim", "k"), SHAPES)
def test_vectors_made_of_codewords_are_decoded_exactly(bits, dim, k):
    pq = quantizer(bits, dim, k)
    codes = torch.randint(k, (40, len(pq.codebooks)), generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    vectors = pq.decode(codes)
    assert torch.equal(pq.encode(vectors), codes)
    assert torch.equal(pq.decode(pq.encode(vectors)), vectors)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_hard_code_is_the_most_similar_codeword_and_the_nearest(seed):
    pq = quantizer(seed=seed)
    x = sub_vectors(10, pq, seed=seed)
    codes, words = pq.encode(x).long(), pq.codewords()
    for m in range(3):
        similarity = x[:, m].double() @ words[m].double().T
        distance = torch.cdist(x[:, m].double(), words[m].double())
        best, nearest = similarity.max(1).values, distance.min(1).values
        chosen = codes[:, m, None]
        torch.testing.assert_close(similarity.gather(1, chosen)[:, 0], best, atol=1e-6, rtol=0)
        torch.testing.assert_close(distance.gather(1, chosen)[:, 0], nearest, atol=1e-5, rtol=0)


def test_codes_agree_with_the_numpy_encoder():
    pq = quantizer(32, 64, 256)
    x = sub_vectors(500, pq)
    ours, theirs = pq.encode(x), encode(pq.codewords().detach().numpy(), x.flatten(1).numpy())
    scores = torch.einsum("bmd,mkd->bmk", x, pq.codewords()).topk(2).values
    clear = (scores[..., 0] - scores[..., 1] > 1e-5).detach()
    assert clear.float().mean() > 0.99 and torch.equal(ours[clear], torch.from_numpy(theirs)[clear])


def test_a_sharper_assignment_approaches_the_hard_one():
    x = sub_vectors(8, quantizer())
    distances = []
    for alpha in (1.0, 10.0, 100.0, 1e4):
        pq = quantizer(alpha=alpha)
        distances.append((pq(x).quantized - pq.decode(pq.encode(x))).norm(dim=-1).mean().item())
    assert distances == sorted(distances, reverse=True) and distances[-1] < 1e-2


def test_gradients_reach_every_codeword_and_the_input():
    pq = quantizer()
    x = sub_vectors(8, pq).requires_grad_()
    (pq(x).quantized * torch.randn(8, 3, 4, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert (pq.codebooks.grad.abs().sum(-1) > 0).all() and (x.grad.abs().sum(-1) > 0).all()


def test_hard_codes_carry_no_gradient():
    pq = quantizer()
    codes = pq.encode(sub_vectors(4, pq).requires_grad_())
    assert not codes.requires_grad and not pq.decode(codes).requires_grad
    assert codes.dtype == torch.uint8


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(dtype):
    pq = quantizer()
    x = sub_vectors(8, pq)
    plain, codes = pq(x), pq.encode(x)
    with torch.autocast("cpu", dtype=dtype):
        half = pq(x)
    assert half.quantized.dtype == half.assignment.dtype == torch.float32
    assert torch.equal(half.quantized, plain.quantized) and torch.equal(pq.encode(x), codes)


def test_permuting_images_or_codewords_changes_nothing_else():
    pq, order, words = quantizer(), torch.randperm(8), torch.randperm(16)
    x = sub_vectors(8, pq)
    before = pq(x)
    torch.testing.assert_close(pq(x[order]).quantized, before.quantized[order])
    with torch.no_grad():
        pq.codebooks.copy_(pq.codebooks[:, words].clone())
    torch.testing.assert_close(pq(x).quantized, before.quantized)
    torch.testing.assert_close(pq(x).assignment, before.assignment[..., words])


def test_same_generator_same_codebooks():
    assert torch.equal(quantizer(seed=4).codebooks, quantizer(seed=4).codebooks)
    assert not torch.equal(quantizer(seed=4).codebooks, quantizer(seed=5).codebooks)


@pytest.mark.parametrize(
    ("name", "values", "rule"),
    [
        ("codewords", (512, 100, 1), "power of two from 2 to 256"),
        ("bits", (20,), "multiple of 8"),
        ("bits", (0,), "1 or more"),
        ("dim", (66,), "multiple of 4"),
        ("dim", (0,), "1 or more"),
        ("alpha", (0.0, math.nan, math.inf), ""),
    ],
)
def test_errors_for_invalid_quantizers_name_value_and_rule(name, values, rule):
    for value in values:
        with pytest.raises(InputError, match=f"{name} is {value}.*{rule}"):
            QuantizerConfig(**{name: value})
