"""Rename, delete, export and import runs, also from hostile zips."""

import io
import json
import os
import re
import shutil
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transclipped.errors import InputError
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.runs import manage
from transclipped.runs.run import RunDir, find_runs
from transclipped.training.queue import QUEUED
from transclipped.utils.files import ASSETS, hold


@pytest.fixture
def home(tmp_path, tiny_run) -> Path:
    shutil.copytree(tiny_run, tmp_path / "home" / "tiny")
    return tmp_path / "home"


@pytest.fixture
def tiny(home) -> RunDir:
    return RunDir(home / "tiny")


def packed(run: RunDir) -> dict[str, bytes]:
    """Files of a packed run by name."""
    file = io.BytesIO()
    manage.pack(run, file)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: dict) -> io.BytesIO:
    """A zip of name (or ZipInfo) and content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    file.seek(0)
    return file


def refused(home: Path, file: io.BytesIO, match: str) -> None:
    """The import is refused, and nothing is left."""
    before = {p: p.stat().st_size for p in home.parent.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match=match):
        manage.unpack(file, home, name="taken")
    assert {p: p.stat().st_size for p in home.parent.rglob("*") if p.is_file()} == before
    assert [run.name for run in find_runs(home)] == ["tiny"]


def with_arrays(files: dict[str, bytes], **arrays) -> dict[str, bytes]:
    stored = dict(np.load(io.BytesIO(files["tiny/retrieval.npz"]))) | arrays
    content = io.BytesIO()
    np.savez_compressed(content, **{name: array for name, array in stored.items() if array is not None})
    return files | {"tiny/retrieval.npz": content.getvalue()}


def changed(files: dict[str, bytes], name: str, **values) -> dict[str, bytes]:
    return files | {f"tiny/{name}": json.dumps(json.loads(files[f"tiny/{name}"]) | values).encode()}


def test_a_packed_run_is_restored_under_another_number(home, tiny):
    file = io.BytesIO()
    manage.pack(tiny, file)
    new = manage.unpack(file, home, name="tiny")
    assert new.name == "tiny-2"
    assert new.config == tiny.config and new.metrics() == tiny.metrics()
    assert new.status()["state"] == "finished" and new.epochs() == tiny.epochs()
    for name in ("retrieval.npz", "model.safetensors", "events.jsonl", "split.json"):
        assert (new.path / name).read_bytes() == (tiny.path / name).read_bytes()
    assert new.record["command"].endswith("--run runs/tiny-2")
    assert manage.unpack(file, home, name="tiny", taken={"tiny-3"}).name == "tiny-4"


BUNDLED = sorted(path.parent for path in ASSETS.glob("runs/*/config.json"))


@pytest.mark.parametrize("bundled", BUNDLED, ids=lambda p: p.name)
def test_every_bundled_run_can_be_downloaded_and_imported(tmp_path, bundled):
    file = io.BytesIO()
    manage.pack(RunDir(bundled), file)
    new = manage.unpack(file, tmp_path, name=bundled.name)
    assert new.config == RunDir(bundled).config and new.metrics() == RunDir(bundled).metrics()


def test_only_an_unfinished_run_is_packed_with_its_checkpoint(home, tiny):
    assert "tiny/last.safetensors" not in packed(tiny)
    (tiny.path / "status.json").write_text('{"v": 1, "state": "stopped"}')
    (tiny.path / "log.txt").write_text("private")
    files = packed(tiny)
    assert "tiny/last.safetensors" in files and "tiny/log.txt" not in files
    assert manage.unpack(zipped(files), home, name="half").status()["state"] == "stopped"


def test_a_running_run_is_imported_as_stopped_and_no_top_folder_is_needed(home, tiny):
    files = changed(packed(tiny), "status.json", state="running", pid=os.getpid(), heartbeat=1e12)
    assert manage.unpack(zipped(files), home, name="new").status()["state"] == "stopped"
    files = {name.removeprefix("tiny/"): content for name, content in packed(tiny).items()}
    assert manage.unpack(zipped(files), home, name="flat").metrics() == tiny.metrics()


FOREIGN = r"""../evil.json /etc/evil tiny/../../evil C:\evil tiny/evil.py tiny/epochs/x.safetensors tiny/log.txt.pkl
    tiny/epochs/../config.json tiny/config.json/x"""


@pytest.mark.parametrize("name", FOREIGN.split())
def test_any_file_that_is_no_part_of_a_run_is_refused(home, tiny, name):
    refused(home, zipped(packed(tiny) | {name: b"x"}), "part of a run")
    assert not (home.parent / "evil").exists() and not (home.parent / "evil.json").exists()


def test_a_repeated_file_and_a_link_are_refused(home, tiny):
    files = packed(tiny)
    with pytest.warns(UserWarning, match="Duplicate"):
        file = zipped(files | {zipfile.ZipInfo("tiny/config.json"): b"{}"})
    refused(home, file, "twice")
    link = zipfile.ZipInfo("tiny/split.json")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    files = {name: content for name, content in packed(tiny).items() if name != "tiny/split.json"}
    refused(home, zipped(files | {link: b"/etc/passwd"}), "a link")


def test_zip_bombs_and_huge_tables_of_contents_are_refused_early(home, tiny, monkeypatch):
    files = packed(tiny)
    monkeypatch.setattr(manage, "MAX_UNPACKED", sum(map(len, files.values())) + 1000)
    assert manage.unpack(zipped(files), home, name="fits").exists
    shutil.rmtree(home / "fits")
    refused(home, zipped(files | {"tiny/epochs/9.safetensors": bytes(2000)}), "unpacks to more than")
    many = zipped({f"tiny/epochs/{i}.safetensors": b"" for i in range(1001)} | files)
    refused(home, many, "1,009 files|1,0.. files|too many")
    monkeypatch.setattr(manage, "MAX_DIRECTORY", 100)
    refused(home, zipped({f"tiny/epochs/{i}.safetensors": b"" for i in range(5)}), "too many files")


def test_a_wrong_size_is_noticed(home, tiny):
    """The table of contents says 10 bytes, the data are a megabyte."""
    raw = bytearray(zipped({"tiny/events.jsonl": bytes(1_000_000), "tiny/config.json": b"{}"}).getvalue())
    at = raw.rfind(b"PK\x01\x02", 0, raw.rfind(b"PK\x01\x02"))
    raw[at + 24 : at + 28] = (10).to_bytes(4, "little")
    refused(home, io.BytesIO(bytes(raw)), "damaged|not a zip|event|refused")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", b"PK\x05\x06" + bytes(18), bytes(1000)])
def test_other_files_are_refused(home, content):
    refused(home, io.BytesIO(content), "zip|no config.json")


CHECKED = """config.json metrics.json status.json split.json events.jsonl retrieval.npz model.safetensors
    epochs/1.safetensors"""


@pytest.mark.parametrize("part", CHECKED.split())
@pytest.mark.parametrize("content", [b"\x00\xff not what it was", b"[1, 2]", b"[" * 200_000])
def test_a_damaged_part_is_refused(home, tiny, part, content):
    refused(home, zipped(packed(tiny) | {f"tiny/{part}": content}), "import refused")


def test_arrays_of_objects_or_with_a_false_header_are_refused_without_reading_them(home, tiny):
    evil = io.BytesIO()
    np.savez(evil, codebooks=np.array([print], object))
    refused(home, zipped(packed(tiny) | {"tiny/retrieval.npz": evil.getvalue()}), "not a plain array")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 50,)})
    arrays = zipped({"codes.npy": header.getvalue()}).getvalue()
    refused(home, zipped(packed(tiny) | {"tiny/retrieval.npz": arrays}), "not a plain array")


def test_arrays_that_do_not_fit_are_refused(home, tiny):
    files = packed(tiny)
    stored = tiny.retrieval()
    wrong = {
        "another shape": {
            "codebooks": stored.codebooks[:2],
            "codes": stored.codes[:, :2],
            "queries": stored.queries[:, :32],
        },
        "do not fit": {"codes": stored.codes[:-1]},
        "labels": {"database_labels": np.full(len(stored.codes), 10)},
        "one side": {},
        "repeats ids": {"database_ids": np.zeros(len(stored.codes), np.int64)},
        "not finite": {"queries": np.full_like(stored.queries, np.nan)},
    }
    for match, arrays in wrong.items():
        changed_files = with_arrays(files, **arrays)
        if match == "one side":
            changed_files = with_arrays(files, query_labels=None)
        refused(home, zipped(changed_files), match)


def test_weights_of_another_shape_or_not_finite_are_refused(home, tiny, tmp_path):
    files, state = packed(tiny), load_tensors(tiny.path / "model.safetensors")
    changes = {
        "shape": {"quantizer.codebooks": torch.zeros(4, 128, 16)},
        "not finite": {"projection.bias": torch.full((64,), torch.nan)},
        "width in config.json": {"projection.weight": torch.zeros(64, 7)},
    }
    for match, tensors in changes.items():
        save_tensors(tmp_path / "x.safetensors", state | tensors)
        content = (tmp_path / "x.safetensors").read_bytes()
        (tmp_path / "x.safetensors").unlink()
        refused(home, zipped(files | {"tiny/model.safetensors": content}), match)


def test_settings_that_run_code_or_are_unknown_are_refused(home, tiny):
    files = packed(tiny)
    refused(home, zipped(changed(files, "config.json", plugin="/tmp/evil.py")), "evil.py")
    refused(home, zipped(changed(files, "config.json", class_names=["a"])), "labels")
    refused(home, zipped(changed(files, "config.json", class_names=[7] * 10)), "class_names")
    for section, value in (("clipping", {"rule": "mine"}), ("loss", {"x": 1})):
        config = json.loads(files["tiny/config.json"])
        refused(home, zipped(changed(files, "config.json", **{section: config[section] | value})), "import refused")


def test_impossible_metrics_and_incomplete_finished_runs_are_refused(home, tiny):
    files = packed(tiny)
    refused(home, zipped(changed(files, "metrics.json", n_database=7)), "7 images")
    refused(home, zipped(changed(files, "metrics.json", modes={"asymmetric": {"map": 3}})), "from 0 to 1")
    refused(home, zipped(changed(files, "metrics.json", modes={"new": {}})), "modes among")
    refused(home, zipped(files | {"tiny/events.jsonl": b'{"kind": "step", "epoch": 1, "step": "many"}'}), "line 1")
    del files["tiny/retrieval.npz"]
    refused(home, zipped(files), "lacks retrieval.npz")


REFUSED = {  # and the suggested name
    **dict.fromkeys(["", ".", "..", "🙂", "\u0301a"], "run"),
    **dict.fromkeys(["a/b", "a\\b", "a:b", "a\nb"], "a-b"),
    **dict.fromkeys([" a", "a ", "a.", "a-"], "a"),
    **dict.fromkeys([".x", "-x"], "x"),
    "nul": "run-nul",
    "COM1.txt": "run-COM1.txt",
    "x" * 81: "x" * 80,
    "con." + "x" * 76: "run-con." + "x" * 72,
    "zweiter lauf!": "zweiter-lauf",
    "Mein erster Lauf ü/..": "Mein-erster-Lauf-ü",
    "rank+threshold": "rank-threshold",
    "run (1)": "run-1",
    "语" * 81: "语" * 80,
    "𐐀" * 61: "𐐀" * 60,
}


@pytest.mark.parametrize(("name", "suggested"), REFUSED.items())
def test_an_invalid_name_is_refused_and_a_valid_one_suggested(name, suggested):
    with pytest.raises(InputError, match=re.escape(suggested)):
        manage.check_name(name)
    assert manage.fitting_name(name) == suggested and manage.check_name(suggested) == suggested


@pytest.mark.parametrize("name", ["tiny", "7", "ünser-Lauf_3.b", "第二次", "हिन्दी", "x" * 80, "hybrid-cifar10-II-32"])
def test_letters_and_digits_of_any_script_are_valid(name):
    assert manage.check_name(name) == name
    assert manage.check_name("u\u0308ben") == "\u00fcben"


@given(st.text(max_size=120))
def test_any_text_gives_a_valid_name_of_one_folder(text):
    name = manage.fitting_name(text)
    assert manage.check_name(name) == name and PurePosixPath(name).name == PureWindowsPath(name).name == name
    assert len(name) <= 80 and len(f"{name}.zip".encode()) <= 255


def test_a_renamed_run_is_found_by_its_former_names_if_they_are_readable(home, tiny):
    twice = manage.rename(manage.rename(tiny, "second"), "third")
    assert manage.former_names(twice) == ["tiny", "second"]
    for name in ("tiny", "second"):
        assert manage.renamed(name, find_runs(home)).name == "third"
    assert manage.renamed("fourth", find_runs(home)) is None
    (twice.path / manage.FORMER).write_text("[3, {")
    assert manage.renamed("tiny", find_runs(home)) is None


def test_former_names_are_not_packed(home, tiny):
    file = io.BytesIO()
    manage.pack(manage.rename(tiny, "second"), file)
    assert manage.FORMER not in {name.rpartition("/")[2] for name in zipfile.ZipFile(file).namelist()}


def test_a_renamed_run_keeps_its_metrics_and_updates_its_command(home, tiny):
    metrics = tiny.metrics()
    new = manage.rename(tiny, "better")
    assert [run.name for run in find_runs(home)] == ["better"]
    assert new.metrics() == metrics and new.record["command"].endswith("runs/better")
    shutil.copytree(new.path, home / "other")
    with pytest.raises(InputError, match="run other already"):
        manage.rename(new, "other")
    assert {run.name for run in find_runs(home)} == {"better", "other"}


def test_a_deleted_run_is_gone_and_cannot_be_deleted_again(home, tiny):
    manage.delete(tiny)
    assert find_runs(home) == [] and not any(home.rglob("*.safetensors"))
    with pytest.raises(InputError, match="no run tiny any more"):
        manage.delete(tiny)


def test_a_run_in_training_or_in_the_queue_is_not_changed(home, tiny):
    def refuses(match):
        for act in (manage.delete, lambda run: manage.rename(run, "x"), lambda run: manage.pack(run, io.BytesIO())):
            with pytest.raises(InputError, match=match):
                act(tiny)

    (tiny.path / QUEUED).write_text("{}")
    refuses("queued")
    (tiny.path / QUEUED).unlink()
    (tiny.path / "status.json").write_text(json.dumps({"state": "running", "pid": os.getpid(), "heartbeat": 4e9}))
    refuses("is being trained")
    (tiny.path / "status.json").write_text(json.dumps({"v": 1, "state": "finished"}))
    with hold(tiny.path):  # just started, or being measured
        refuses("is being trained or measured")
    assert tiny.exists
    assert manage.rename(tiny, "x").exists


def test_simultaneous_imports_get_different_names(home, tiny):
    file = io.BytesIO()
    manage.pack(tiny, file)
    content = file.getvalue()
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: manage.unpack(io.BytesIO(content), home, name="shared"), range(6)))
    assert len({run.name for run in runs}) == 6
    assert all(RunDir(run.path).metrics() == tiny.metrics() for run in runs)
