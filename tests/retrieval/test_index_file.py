"""Files of faiss: genuine ones are read by faiss and by us, changed ones are refused without reaching faiss."""

import subprocess
import sys

import faiss
import numpy as np
import pytest

from transclipped.errors import InputError
from transclipped.retrieval.index import FlatIndex, PQIndex
from transclipped.retrieval.index_file import read, write

RNG = np.random.default_rng(0)
BOOKS = RNG.normal(size=(3, 200, 2)).astype(np.float32)


def made(kind, n):
    if kind == "flat":
        return FlatIndex(RNG.normal(size=(n, 6)).astype(np.float32), codebooks=1)
    return PQIndex(BOOKS, RNG.integers(200, size=(n, 3)).astype(np.uint8))


def codes_of(index):
    return index.embeddings.view(np.uint8) if isinstance(index, FlatIndex) else index.codes


each = pytest.mark.parametrize("kind", ["flat", "pq"])


@each
@pytest.mark.parametrize("n", [0, 1, 57])
def test_items_are_read_back_and_faiss_searches_the_file(kind, n, tmp_path):
    index, path = made(kind, n), tmp_path / "index.faiss"
    digest = write(index.faiss_index, path)
    np.testing.assert_array_equal(read(path, made(kind, 0).faiss_index, sha256=digest), codes_of(index))
    theirs, queries = faiss.read_index(str(path)), RNG.normal(size=(2, 6)).astype(np.float32)
    assert theirs.ntotal == n
    for a, b in zip(theirs.search(queries, 5), index.faiss_index.search(queries, 5), strict=True):
        np.testing.assert_array_equal(a, b)


@each
def test_changed_files_are_refused(kind, tmp_path):
    path, empty = tmp_path / "index.faiss", made(kind, 0).faiss_index
    digest, content = write(made(kind, 9).faiss_index, path), path.read_bytes()
    cuts = [content[:length] for length in (*range(0, len(content), max(1, len(content) // 60)), len(content) - 1)]
    flips = [content[:i] + bytes([content[i] ^ 255]) + content[i + 1 :] for i in (0, 5, 9, 40, 44, len(content) - 1)]
    for changed in (*cuts, *flips, content + b"\0", b"x" * 5000):
        path.write_bytes(changed)
        with pytest.raises(InputError, match=r"index\.faiss"):
            read(path, empty, sha256=digest)
    path.unlink()
    with pytest.raises(InputError, match=r"index\.faiss"):
        read(path, empty, sha256=digest)


@each
def test_files_of_other_indexes_are_refused_though_their_digest_is_right(kind, tmp_path):
    empty, path = made(kind, 0).faiss_index, tmp_path / "index.faiss"
    others = [
        made("pq" if kind == "flat" else "flat", 9).faiss_index,
        FlatIndex(np.zeros((9, 5), np.float32), codebooks=1).faiss_index,
        PQIndex(BOOKS + 1, np.zeros((9, 3), np.uint8)).faiss_index,
        faiss.index_factory(6, "HNSW8"),
        faiss.IndexIDMap(faiss.IndexFlatIP(6)),
    ]
    for other in others:
        digest = write(other, path)
        with pytest.raises(InputError, match=r"index\.faiss"):
            read(path, empty, sha256=digest)


HOSTILE = """
import hashlib, sys
import numpy as np
from pathlib import Path
from tests.retrieval.test_index_file import made
from transclipped.errors import InputError
from transclipped.retrieval.index_file import read, write

path, rng, refused = Path(sys.argv[1]), np.random.default_rng(1), 0
for kind in ("flat", "pq"):
    write(made(kind, 9).faiss_index, path)
    content = np.fromfile(path, np.uint8)
    for turn in range(300):
        changed = content[: rng.integers(len(content)) if turn % 2 else None].copy()
        at = rng.integers(min(len(changed), 120 if turn % 3 else len(changed)) or 1, size=turn % 9)
        changed[at[at < len(changed)]] = rng.choice([0, 1, 127, 128, 255])
        changed.tofile(path)
        try:
            read(path, made(kind, 0).faiss_index, sha256=hashlib.sha256(changed.data).hexdigest())
        except InputError:
            refused += 1
print(refused)
"""


def test_no_file_ends_the_process(tmp_path):
    """Cut and overwritten files whose digest is right, in a process of their own."""
    arguments = [sys.executable, "-c", HOSTILE, str(tmp_path / "index.faiss")]
    child = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr
    assert 300 <= int(child.stdout) < 600  # the others changed nothing but codes
