"""Headers of safetensors files are accepted only if they match the bytes."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transclipped.errors import InputError
from transclipped.models.tensor_header import MAX_HEADER, read_header
from transclipped.models.weights import load_tensors, save_tensors

NUMBERS = st.sampled_from([-1, 0, 1, 4, 7, 2**31, 2**33, 2**62, 2**64, 1.5, None, "a", True])
SHAPES = NUMBERS | st.lists(NUMBERS, max_size=9)
DTYPES = st.sampled_from(["F32", "F16", "BF16", "I64", "BOOL", "F4", "X", "", 5, None, []])


def written(path, header, data=b""):
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(content).to_bytes(8, "little") + content + data)
    return path


def test_shapes_are_those_of_the_tensors(tmp_path):
    tensors = {"a": torch.zeros(2, 3), "b": torch.tensor(7), "d": torch.ones(0)}
    tensors["c"] = torch.ones(4, dtype=torch.bfloat16)
    save_tensors(tmp_path / "x.safetensors", tensors)
    header = read_header(tmp_path / "x.safetensors")
    assert {name: entry.shape for name, entry in header.items()} == {n: tuple(t.shape) for n, t in tensors.items()}
    assert {name: entry.size for name, entry in header.items()} == {n: t.nbytes for n, t in tensors.items()}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dtype=DTYPES, shape=SHAPES, span=SHAPES, size=st.integers(0, 40), other=st.none() | SHAPES)
def test_accepted_headers_describe_tensors_that_load(tmp_path, dtype, shape, span, size, other):
    header = {"x": {"dtype": dtype, "shape": shape, "data_offsets": span}, "y": other}
    path = written(tmp_path / "x.safetensors", {k: v for k, v in header.items() if v is not None}, bytes(size))
    try:
        entries = read_header(path)
    except InputError as error:
        assert "x.safetensors" in str(error) and "\n" not in str(error)
        with pytest.raises(InputError):
            load_tensors(path)
        return
    assert sum(entry.size for entry in entries.values()) == size
    assert {n: tuple(t.shape) for n, t in load_tensors(path).items()} == {n: e.shape for n, e in entries.items()}


@pytest.mark.parametrize("length", [MAX_HEADER + 1, 2**40, 2**63, 10, 0])
def test_header_longer_than_its_file_or_the_limit_is_rejected(tmp_path, length):
    (tmp_path / "x.safetensors").write_bytes(length.to_bytes(8, "little") + b"{}" * 3)
    with pytest.raises(InputError, match=r"x\.safetensors is damaged"):
        read_header(tmp_path / "x.safetensors")


@pytest.mark.parametrize("header", [b"[" * 100_000, b"\xff", b"null", b'{"a": 1}', b'{"a": {"dtype": "F32"}}'])
def test_invalid_header_is_rejected(tmp_path, header):
    with pytest.raises(InputError, match=r"x\.safetensors is damaged"):
        read_header(written(tmp_path / "x.safetensors", header))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1.0])
def test_one_non_finite_number_is_detected_in_any_block(tmp_path, dtype, number, monkeypatch):
    monkeypatch.setattr("transclipped.models.tensor_header.BLOCK", 64)
    for index in (0, 50, 99):
        numbers = torch.linspace(-3, 3, 100, dtype=dtype)
        numbers[index] = number
        save_tensors(tmp_path / "x.safetensors", {"before": torch.full((3,), math.nan), "x": numbers})
        entry = read_header(tmp_path / "x.safetensors")["x"]
        assert entry.is_finite(tmp_path / "x.safetensors") == np.isfinite(number)
