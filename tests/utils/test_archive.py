"""Untrusted zips and arrays: within limits, and every problem is an InputError."""

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transclipped.errors import InputError
from transclipped.utils import archive
from transclipped.utils.arrays import check_arrays, load_arrays

FILES = {"a.json": b"{}" * 500, "b.bin": bytes(range(256)) * 20}
ARRAYS = {"x": np.arange(6.0).reshape(2, 3), "names": np.array(["a", "ü"]), "empty": np.zeros((0, 3), np.uint8)}
FAST = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BYTES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=30)


def zipped(files=FILES, method=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archived:
        for name, content in files.items():
            archived.writestr(name, content)
    return file.getvalue()


def contents(content: bytes, *, most_bytes=100_000, directory=10_000) -> dict[str, bytes]:
    about = {"what": "it", "remedy": "try again"}
    with archive.opened(io.BytesIO(content), **about, most_bytes=most_bytes, directory=directory) as opened:
        return {e.filename: b"".join(archive.blocks(opened, e, **about)) for e in opened.infolist()}


def damaged(content: bytes, changes) -> bytes:
    mutable = bytearray(content)
    for share, value in changes:
        mutable[int(share * len(mutable))] = value
    return bytes(mutable)


@pytest.mark.parametrize("method", archive.ORDINARY)
def test_files_are_read_unchanged(method):
    assert contents(zipped(method=method)) == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused_damaged_or_not(method):
    content = zipped(method=method)
    for each in (content, damaged(content, [(0.2, 0), (0.25, 255)])):
        with pytest.raises(InputError, match=r"ordinary zip compression|damaged"):
            contents(each)


def test_a_password_is_refused():
    content = bytearray(zipped())
    content[content.find(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match="password"):
        contents(bytes(content))


def test_limits_are_checked_before_unpacking():
    with pytest.raises(InputError, match="unpacks to more than 5,000"):
        contents(zipped(), most_bytes=5000)
    with pytest.raises(InputError, match="too many files"):
        contents(zipped(), directory=20)


@FAST
@given(changes=BYTES, keep=st.floats(0, 1))
def test_a_damaged_zip_is_an_input_error(changes, keep):
    for content in (damaged(zipped(), changes), zipped()[: int(keep * len(zipped()))]):
        try:
            assert sum(map(len, contents(content).values())) <= 100_000
        except InputError as error:
            assert str(error).startswith("it ")
            assert "free some space" not in str(error)


def npy(shape: str, data: bytes = b"", descr: str = "'<f4'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def test_arrays_are_restored(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", **ARRAYS)
    check_arrays(tmp_path / "x.npz", remedy="")
    arrays = load_arrays(tmp_path / "x.npz", remedy="")
    assert arrays.keys() == ARRAYS.keys()
    for name, value in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], value)


SHAPES = "(10**18,);(1 << 40,);(1099511627776,);(-1,);(2,) * 30;('a',);();(0, 10000000000000);__import__('os').getpid()"


@pytest.mark.parametrize("shape", [*SHAPES.split(";"), "(" * 3000])
def test_a_shape_that_does_not_match_the_bytes_is_refused(tmp_path, shape):
    (tmp_path / "x.npz").write_bytes(zipped({"codes.npy": npy(shape, bytes(64))}))
    for read in (check_arrays, load_arrays):
        with pytest.raises(InputError, match=r"x\.npz is damaged.*make it again"):
            read(tmp_path / "x.npz", remedy="make it again")


@pytest.mark.parametrize("descr", ["'|O'", "[('a', '<f4'), ('b', '|O')]", "'x'", "5"])
def test_objects_are_not_read(tmp_path, descr):
    (tmp_path / "x.npz").write_bytes(zipped({"codes.npy": npy("(8,)", bytes(64), descr)}))
    with pytest.raises(InputError, match=r"x\.npz is damaged"):
        load_arrays(tmp_path / "x.npz", remedy="make it again")


def test_arrays_above_a_limit_are_not_read(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", zeros=np.zeros(100_000))
    assert load_arrays(tmp_path / "x.npz", remedy="", most_bytes=900_000)["zeros"].nbytes == 800_000
    with pytest.raises(InputError, match="more than 700,000 bytes"):
        load_arrays(tmp_path / "x.npz", remedy="", most_bytes=700_000)


@FAST
@given(changes=BYTES)
def test_damaged_arrays_are_an_input_error(tmp_path, changes):
    file = io.BytesIO()
    np.savez_compressed(file, **ARRAYS)
    (tmp_path / "x.npz").write_bytes(damaged(file.getvalue(), changes))
    try:
        load_arrays(tmp_path / "x.npz", remedy="make it again")
    except InputError as error:
        assert "x.npz" in str(error)
