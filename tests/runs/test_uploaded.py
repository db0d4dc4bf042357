"""Mutated uploads: imported and readable, or refused; with bounded memory and no leftovers."""

import copy
import io
import json
import random
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import torch

from tests.runs.test_manage import packed, zipped
from tests.runs.test_records import EVIL, places, replaced
from transclipped.errors import InputError
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.runs import manage
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher

SECONDS = 6.0  # of mutations
MEMORY = 300  # MB more than before, at most


@pytest.fixture(scope="module")
def files(tiny_run):
    """Content of a packed, unfinished run by name, so that the optimizer's state is in it."""
    run = packed(RunDir(tiny_run)) | {"tiny/last.safetensors": (tiny_run / "last.safetensors").read_bytes()}
    return run | {"tiny/status.json": b'{"v": 1, "state": "stopped"}'}


def unpacked(content: bytes, home) -> RunDir | None:
    """The run, read as pages do; None if the archive was refused."""
    try:
        run = manage.unpack(io.BytesIO(content), home, name="new")
    except InputError as error:
        assert "free some space" not in str(error)
        assert not [p for p in home.iterdir() if not p.name.startswith(".")] and not any((home / ".incoming").iterdir())
        return None
    run = RunDir(run.path)
    _ = run.config, run.metrics(), run.status(), run.events(), [run.head(epoch=epoch) for epoch in run.epochs()]
    assert run.problem() is None
    if (run.path / "retrieval.npz").exists():
        searcher = Searcher(run)
        assert all(np.isfinite(hit.score) for hit in searcher.search(searcher.stored.queries[0].astype("f4"), top=3))
    manage.delete(run)
    return run


def with_json(files, name, draw):
    value = json.loads(files[name])
    changed = replaced(value, draw.choice(list(places(value))), copy.deepcopy(draw.choice(EVIL)))
    return files | {name: json.dumps(changed).encode()}


def with_line(files, draw):
    lines = files["tiny/events.jsonl"].decode().splitlines()
    event = json.loads(draw.choice(lines))
    event[draw.choice(list(event))] = draw.choice(EVIL)
    return files | {"tiny/events.jsonl": "\n".join([*lines, json.dumps(event)]).encode()}


def with_header(files, draw):
    name = draw.choice([name for name in files if name.endswith(".safetensors")])
    size = int.from_bytes(files[name][:8], "little")
    header = json.loads(files[name][8 : 8 + size])
    tensor = header[draw.choice([key for key in header if key != "__metadata__"])]
    key = draw.choice(["dtype", "shape", "data_offsets"])
    tensor[key] = draw.choice(["I32", "F4", [0, 2**33], [2**62, 2**62], [], [-1], [0, 0], [5, 4], None, [2**64, 0]])
    made = json.dumps(header).encode()
    return files | {name: len(made).to_bytes(8, "little") + made + files[name][8 + size :]}


def mutated(files, draw) -> bytes:
    kind = draw.choice(["json", "json", "line", "header", "bytes", "bytes", "missing", "swapped", "method"])
    if kind == "json":
        return zipped(with_json(files, draw.choice([n for n in files if n.endswith(".json")]), draw)).getvalue()
    if kind == "line":
        return zipped(with_line(files, draw)).getvalue()
    if kind == "header":
        return zipped(with_header(files, draw)).getvalue()
    if kind == "missing":
        return zipped({name: files[name] for name in draw.sample(list(files), len(files) - 2)}).getvalue()
    if kind == "swapped":
        one, other = draw.sample(list(files), 2)
        return zipped(files | {one: files[other], other: files[one]}).getvalue()
    file = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if kind == "bytes" else draw.choice([zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    content = bytearray(file.getvalue())
    for _ in range(draw.choice([1, 4, 100])):
        content[draw.randrange(len(content))] = draw.randrange(256)
    return bytes(content)


@pytest.mark.parametrize("seed", [int(time.time()) // 86_400, 1])
def test_any_mutation_is_imported_completely_or_refused(files, tmp_path, seed):
    draw, until, results = random.Random(seed), time.monotonic() + SECONDS / 2, []
    small = {name: content for name, content in files.items() if not name.startswith("tiny/epochs/2")}
    while time.monotonic() < until:
        content = mutated(small, draw)
        (tmp_path / "home").mkdir(exist_ok=True)
        try:
            results.append(unpacked(content, tmp_path / "home"))
        except Exception as error:
            raise AssertionError(f"seed {seed}, mutation {len(results)}: {error!r}") from error
    assert results.count(None) > len(results) / 4


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_unusual_compression_is_refused(files, tmp_path, method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="ordinary zip compression"):
        manage.unpack(file, tmp_path, name="new")


def with_tensors(files, name, tmp_path, **tensors):
    (tmp_path / "t.safetensors").write_bytes(files[name])
    save_tensors(tmp_path / "t.safetensors", load_tensors(tmp_path / "t.safetensors") | tensors)
    return files | {name: (tmp_path / "t.safetensors").read_bytes()}


@pytest.mark.parametrize("step", [torch.tensor(torch.nan), torch.tensor(-5), torch.tensor(2**62), torch.tensor([1, 2])])
def test_an_invalid_step_is_refused(files, tmp_path, step):
    home = tmp_path / "home"
    changed = with_tensors(files, "tiny/last.safetensors", tmp_path, step=step)
    with pytest.raises(InputError, match="at which step"):
        manage.unpack(zipped(changed), home, name="new")
    assert manage.unpack(zipped(files), home, name="new").exists


def test_a_number_that_is_not_finite_is_refused_in_any_weights(files, tmp_path):
    for name in ("tiny/model.safetensors", "tiny/last.safetensors", "tiny/epochs/1.safetensors"):
        part = "model.projection.bias" if "last" in name else "projection.bias"
        spoilt = torch.zeros(64)
        spoilt[63] = torch.inf
        changed = with_tensors(files, name, tmp_path, **{part: spoilt})
        with pytest.raises(InputError, match="not finite"):
            manage.unpack(zipped(changed), tmp_path / "home", name="new")


def config(files, **settings):
    value = json.loads(files["tiny/config.json"])
    for path, setting in settings.items():
        section, _, name = path.rpartition("__")
        (value[section] if section else value)[name] = setting
    return files | {"tiny/config.json": json.dumps(value).encode()}


def header(tensors: dict, size: int = 0) -> bytes:
    made = json.dumps(tensors).encode()
    return len(made).to_bytes(8, "little") + made + bytes(size)


def tensor(shape, dtype="F32", span=(0, 0)):
    return {"dtype": dtype, "shape": shape, "data_offsets": list(span)}


def large(files) -> dict[str, dict[str, bytes]]:
    """Runs whose headers claim gigabytes, or that are as large as the limits allow."""
    nested = b'{"v": 1, "x": [' + b"[]," * 1_660_000 + b"[]]}"  # 4,980,019 bytes
    arrays = io.BytesIO()
    np.savez_compressed(arrays, codes=np.zeros(1 << 28, np.uint8), codebooks=np.zeros(1 << 25))
    events = b'{"kind":"a","epoch":1,"step":1}\n' * 240_000
    ends = [1 << 27, (1 << 27) + 256, (1 << 27) + 256 + 65_536]
    wide = {
        "projection.weight": tensor([64, 1 << 20], "F16", (0, ends[0])),
        "projection.bias": tensor([64], span=ends[:2]),
        "quantizer.codebooks": tensor([4, 256, 16], span=ends[1:]),
    }
    shapes = {"projection.weight": [0, 2**33], "projection.bias": [0], "quantizer.codebooks": [0]}
    empty = {name: tensor(shape) for name, shape in shapes.items()}
    many = {f"k{i}": tensor([0]) for i in range(200_000)}
    state = header({"x": tensor([1 << 26], span=(0, 1 << 28))}, 1 << 28)
    changes = {
        "weights of no rows": {"model.safetensors": header(empty)},
        "a wide head": {"model.safetensors": header(wide, ends[2])},
        "many tensors": {"model.safetensors": header(many)},
        "a large state": {"last.safetensors": state},
        "nested settings": {"config.json": nested},
        "nested metrics": {"metrics.json": nested},
        "nested split": {"split.json": nested[:-2] + b",[]" * 1_000_000 + b"]}"},
        "nested everything": {f"{name}.json": nested for name in ("config", "metrics", "split")},
        "arrays": {"retrieval.npz": arrays.getvalue()},
        "events": {"events.jsonl": events},
        "a huge json": {"split.json": b"[" + b"[]," * 20_000_000 + b"[]]"},
    }
    sizes = {f"dim 2^{n}": config(files, quantizer__dim=1 << n) for n in (19, 22, 26, 34)}
    sizes["bits"] = config(files, quantizer__bits=1 << 23, quantizer__dim=1 << 23)
    return sizes | {case: files | {f"tiny/{n}": c for n, c in parts.items()} for case, parts in changes.items()}


MEASURE = """
import io, resource, sys
from pathlib import Path
from transclipped.errors import InputError
from transclipped.runs import manage, uploaded
from transclipped.runs.run import RunDir
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
manage.unpack(io.BytesIO((folder / "base.zip").read_bytes()), folder / "home", name="base")
before = peak()
for path in sorted(folder.glob("*.zip")):
    try:
        with path.open("rb") as file:
            run = manage.unpack(file, folder / "home", name="new")
        run.events(), run.metrics(), run.problem()
    except InputError as error:
        pass
    print(path.name, peak() - before, flush=True)
"""


def test_every_upload_takes_bounded_memory(files, tmp_path):
    cases = {"base": files, **large(files)}
    for name, content in cases.items():
        (tmp_path / f"{name.replace(' ', '-')}.zip").write_bytes(zipped(content).getvalue())
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    used = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()}
    assert len(used) == len(cases)
    assert max(used.values()) <= MEMORY, used
