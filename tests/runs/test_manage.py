"""Rename, delete, pack and take in runs; what a hostile zip may try."""

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
    """Not taken in, with a sentence, and nothing is left."""
    before = {p: p.stat().st_size for p in home.parent.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match=match):
        manage.unpack(file, home, name="taken")
    assert {p: p.stat().st_size for p in home.parent.rglob("*") if p.is_file()} == before
    assert [run.name for run in find_runs(home)] == ["tiny"]


def with_arrays(files: dict[str, bytes], **arrays) -> dict[str, bytes]:
    stored = dict(np.load(io.BytesIO(files["tiny/retrieval.npz"]))) | arrays
    content = io.BytesIO()
    np.savez_compressed(content, **stored)
    return files | {"tiny/retrieval.npz": content.getvalue()}


def changed(files: dict[str, bytes], name: str, **values) -> dict[str, bytes]:
    return files | {f"tiny/{name}": json.dumps(json.loads(files[f"tiny/{name}"]) | values).encode()}


def test_a_packed_run_comes_back_as_it_was_under_another_number(home, tiny):
    file = io.BytesIO()
    manage.pack(tiny, file)
    taken = manage.unpack(file, home, name="tiny")
    assert taken.name == "tiny-2"
    assert taken.config == tiny.config and taken.metrics() == tiny.metrics()
    assert taken.status()["state"] == "finished" and taken.epochs() == tiny.epochs()
    for name in ("retrieval.npz", "model.safetensors", "events.jsonl", "split.json"):
        assert (taken.path / name).read_bytes() == (tiny.path / name).read_bytes()
    assert taken.record["command"].endswith("--run runs/tiny-2")
    assert manage.unpack(file, home, name="tiny", taken={"tiny-3"}).name == "tiny-4"


@pytest.mark.parametrize(
    "bundled", sorted(path.parent for path in ASSETS.glob("runs/*/config.json")), ids=lambda p: p.name
)
def test_every_bundled_run_can_be_downloaded_and_taken_in(tmp_path, bundled):
    file = io.BytesIO()
    manage.pack(RunDir(bundled), file)
    taken = manage.unpack(file, tmp_path, name=bundled.name)
    assert taken.config == RunDir(bundled).config and taken.metrics() == RunDir(bundled).metrics()


def test_only_an_unfinished_run_is_packed_with_what_resuming_needs(home, tiny):
    assert "tiny/last.safetensors" not in packed(tiny)
    (tiny.path / "status.json").write_text('{"v": 1, "state": "stopped"}')
    (tiny.path / "log.txt").write_text("private")
    files = packed(tiny)
    assert "tiny/last.safetensors" in files and "tiny/log.txt" not in files
    assert manage.unpack(zipped(files), home, name="half").status()["state"] == "stopped"


def test_a_run_that_says_it_is_running_is_taken_in_as_stopped(home, tiny):
    files = changed(packed(tiny), "status.json", state="running", pid=os.getpid(), heartbeat=1e12)
    assert manage.unpack(zipped(files), home, name="new").status()["state"] == "stopped"


def test_files_without_a_folder_around_them_are_taken_too(home, tiny):
    files = {name.removeprefix("tiny/"): content for name, content in packed(tiny).items()}
    assert manage.unpack(zipped(files), home, name="flat").metrics() == tiny.metrics()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "/etc/evil",
        "tiny/../../evil",
        "C:\\evil",
        "tiny/evil.py",
        "tiny/epochs/x.safetensors",
        "tiny/log.txt.pkl",
        "tiny/epochs/../config.json",
        "tiny/config.json/x",
    ],
)
def test_any_file_that_is_no_part_of_a_run_is_refused(home, tiny, name):
    refused(home, zipped(packed(tiny) | {name: b"x"}), "part of a run")
    assert not (home.parent / "evil").exists() and not (home.parent / "evil.json").exists()


def test_a_link_is_refused(home, tiny):
    link = zipfile.ZipInfo("tiny/split.json")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    files = {name: content for name, content in packed(tiny).items() if name != "tiny/split.json"}
    refused(home, zipped(files | {link: b"/etc/passwd"}), "a link")


def test_a_file_that_is_there_twice_is_refused(home, tiny):
    files = packed(tiny)
    with pytest.warns(UserWarning, match="Duplicate"):
        file = zipped(files | {zipfile.ZipInfo("tiny/config.json"): b"{}"})
    refused(home, file, "twice")


def test_bombs_are_refused_before_they_go_off(home, tiny, monkeypatch):
    files = packed(tiny)
    monkeypatch.setattr(manage, "MAX_UNPACKED", sum(map(len, files.values())) + 1000)
    assert manage.unpack(zipped(files), home, name="fits").exists
    shutil.rmtree(home / "fits")
    refused(home, zipped(files | {"tiny/epochs/9.safetensors": bytes(2000)}), "unpacks to more than")
    many = zipped({f"tiny/epochs/{i}.safetensors": b"" for i in range(1001)} | files)
    refused(home, many, "1,009 files|1,0.. files|too many")


def test_a_size_that_lies_is_noticed(home, tiny):
    """The table of contents says 10 bytes, the data are a megabyte."""
    files = packed(tiny)
    raw = bytearray(zipped({"tiny/events.jsonl": bytes(1_000_000), "tiny/config.json": b"{}"}).getvalue())
    at = raw.rfind(b"PK\x01\x02", 0, raw.rfind(b"PK\x01\x02"))
    raw[at + 24 : at + 28] = (10).to_bytes(4, "little")
    refused(home, io.BytesIO(bytes(raw)), "damaged|not a zip|no event|not taken in")
    assert files


def test_a_table_of_contents_with_a_million_files_is_not_read(home, monkeypatch):
    monkeypatch.setattr(manage, "MAX_DIRECTORY", 100)
    refused(home, zipped({f"tiny/epochs/{i}.safetensors": b"" for i in range(5)}), "too many files")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", b"PK\x05\x06" + bytes(18), bytes(1000)])
def test_what_is_no_zip_is_refused(home, content):
    refused(home, io.BytesIO(content), "zip|no config.json")


@pytest.mark.parametrize(
    "part",
    [
        "config.json",
        "metrics.json",
        "status.json",
        "split.json",
        "retrieval.npz",
        "model.safetensors",
        "events.jsonl",
        "epochs/1.safetensors",
    ],
)
@pytest.mark.parametrize("content", [b"\x00\xff not what it was", b"[1, 2]", b"[" * 200_000])
def test_a_damaged_part_is_refused(home, tiny, part, content):
    refused(home, zipped(packed(tiny) | {f"tiny/{part}": content}), "not taken in")


def test_an_array_of_objects_is_refused_unread(home, tiny):
    evil = io.BytesIO()
    np.savez(evil, codebooks=np.array([print], object))
    refused(home, zipped(packed(tiny) | {"tiny/retrieval.npz": evil.getvalue()}), "not a plain array")


def test_an_array_that_announces_more_than_it_holds_is_refused(home, tiny):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 50,)})
    refused(
        home,
        zipped(packed(tiny) | {"tiny/retrieval.npz": zipped({"codes.npy": header.getvalue()}).getvalue()}),
        "not a plain array",
    )


def test_arrays_that_do_not_fit_are_refused(home, tiny):
    files = packed(tiny)
    stored = tiny.retrieval()
    wrong = {
        "other ones": {
            "codebooks": stored.codebooks[:2],
            "codes": stored.codes[:, :2],
            "queries": stored.queries[:, :32],
        },
        "do not fit": {"codes": stored.codes[:-1]},
        "labels": {"database_labels": np.full(len(stored.codes), 10)},
        "one side": {},
        "once": {"database_ids": np.zeros(len(stored.codes), np.int64)},
        "not finite": {"queries": np.full_like(stored.queries, np.nan)},
    }
    for match, arrays in wrong.items():
        changed_files = with_arrays(files, **arrays)
        if match == "one side":
            kept = {k: v for k, v in np.load(io.BytesIO(files["tiny/retrieval.npz"])).items() if k != "query_labels"}
            content = io.BytesIO()
            np.savez_compressed(content, **kept)
            changed_files = files | {"tiny/retrieval.npz": content.getvalue()}
        refused(home, zipped(changed_files), match)


def test_weights_of_another_shape_or_not_finite_are_refused(home, tiny, tmp_path):
    files, state = packed(tiny), load_tensors(tiny.path / "model.safetensors")
    changes = {
        "shape": {"quantizer.codebooks": torch.zeros(4, 128, 16)},
        "not finite": {"projection.bias": torch.full((64,), torch.nan)},
        "config.json says": {"projection.weight": torch.zeros(64, 7)},
    }
    for match, tensors in changes.items():
        save_tensors(tmp_path / "x.safetensors", state | tensors)
        refused_files = files | {"tiny/model.safetensors": (tmp_path / "x.safetensors").read_bytes()}
        (tmp_path / "x.safetensors").unlink()
        refused(home, zipped(refused_files), match)


def test_settings_that_run_code_or_are_unknown_are_refused(home, tiny):
    files = packed(tiny)
    refused(home, zipped(changed(files, "config.json", plugin="/tmp/evil.py")), "evil.py")
    refused(home, zipped(changed(files, "config.json", class_names=["a"])), "labels")
    refused(home, zipped(changed(files, "config.json", class_names=[7] * 10)), "class_names")
    for section, value in (("clipping", {"rule": "mine"}), ("loss", {"x": 1})):
        config = json.loads(files["tiny/config.json"])
        refused(home, zipped(changed(files, "config.json", **{section: config[section] | value})), "not taken in")


def test_figures_that_cannot_be_are_refused(home, tiny):
    files = packed(tiny)
    refused(home, zipped(changed(files, "metrics.json", n_database=7)), "7 images")
    refused(home, zipped(changed(files, "metrics.json", modes={"asymmetric": {"map": 3}})), "from 0 to 1")
    refused(home, zipped(changed(files, "metrics.json", modes={"new": {}})), "modes among")
    refused(home, zipped(files | {"tiny/events.jsonl": b'{"kind": "step", "epoch": 1, "step": "many"}'}), "line 1")


def test_an_unpacked_run_of_a_finished_state_must_be_whole(home, tiny):
    files = packed(tiny)
    del files["tiny/retrieval.npz"]
    refused(home, zipped(files), "lacks retrieval.npz")


REFUSED = {  # and the name that is offered instead
    "": "run",
    ".": "run",
    "..": "run",
    ".x": "x",
    "-x": "x",
    "a/b": "a-b",
    "a\\b": "a-b",
    "a:b": "a-b",
    "nul": "run-nul",
    "COM1.txt": "run-COM1.txt",
    "a\nb": "a-b",
    " a": "a",
    "a ": "a",
    "a.": "a",
    "a-": "a",
    "x" * 81: "x" * 80,
    "con." + "x" * 76: "run-con." + "x" * 72,
    "zweiter lauf!": "zweiter-lauf",
    "Mein erster Lauf ü/..": "Mein-erster-Lauf-ü",
    "rank+threshold": "rank-threshold",
    "run (1)": "run-1",
    "🙂": "run",
    "语" * 81: "语" * 80,
    "𐐀" * 61: "𐐀" * 60,
    "\u0301a": "run",
}


@pytest.mark.parametrize(("name", "offered"), REFUSED.items())
def test_a_name_that_breaks_the_rule_is_refused_and_another_offered(name, offered):
    with pytest.raises(InputError, match=re.escape(offered)):
        manage.check_name(name)
    assert manage.fitting_name(name) == offered and manage.check_name(offered) == offered


@pytest.mark.parametrize("name", ["tiny", "7", "ünser-Lauf_3.b", "第二次", "हिन्दी", "x" * 80, "hybrid-cifar10-II-32"])
def test_a_name_of_letters_and_digits_of_any_script_is_taken(name):
    assert manage.check_name(name) == name


def test_a_decomposed_accent_names_the_same_run():
    assert manage.check_name("u\u0308ben") == "\u00fcben"


@given(st.text(max_size=120))
def test_whatever_is_typed_the_offered_name_is_taken_and_names_one_folder(text):
    name = manage.fitting_name(text)
    assert manage.check_name(name) == name and PurePosixPath(name).name == PureWindowsPath(name).name == name
    assert len(name) <= 80 and len(f"{name}.zip".encode()) <= 255


def test_a_renamed_run_is_found_by_its_former_names_until_another_has_them(home, tiny):
    twice = manage.rename(manage.rename(tiny, "second"), "third")
    assert manage.former_names(twice) == ["tiny", "second"]
    for name in ("tiny", "second"):
        assert manage.renamed(name, find_runs(home)).name == "third"
    assert manage.renamed("fourth", find_runs(home)) is None
    (twice.path / manage.FORMER).write_text("[3, {")
    assert manage.renamed("tiny", find_runs(home)) is None


def test_former_names_stay_at_home_when_a_run_is_packed(home, tiny):
    file = io.BytesIO()
    manage.pack(manage.rename(tiny, "second"), file)
    assert manage.FORMER not in {name.rpartition("/")[2] for name in zipfile.ZipFile(file).namelist()}


def test_a_renamed_run_keeps_all_and_its_command_names_it(home, tiny):
    metrics = tiny.metrics()
    new = manage.rename(tiny, "better")
    assert [run.name for run in find_runs(home)] == ["better"]
    assert new.metrics() == metrics and new.record["command"].endswith("runs/better")


def test_a_taken_name_is_refused_and_both_runs_stay(home, tiny):
    shutil.copytree(tiny.path, home / "other")
    with pytest.raises(InputError, match="is a run other already"):
        manage.rename(tiny, "other")
    assert {run.name for run in find_runs(home)} == {"tiny", "other"}


def test_a_deleted_run_is_gone_and_deleting_it_again_is_explained(home, tiny):
    manage.delete(tiny)
    assert find_runs(home) == [] and not any(home.rglob("*.safetensors"))
    with pytest.raises(InputError, match="no run tiny any more"):
        manage.delete(tiny)


def test_a_run_in_training_or_in_the_queue_stays_as_it_is(home, tiny):
    (tiny.path / QUEUED).write_text("{}")
    for act in (manage.delete, lambda run: manage.rename(run, "x"), lambda run: manage.pack(run, io.BytesIO())):
        with pytest.raises(InputError, match="waits"):
            act(tiny)
    (tiny.path / QUEUED).unlink()
    (tiny.path / "status.json").write_text(json.dumps({"state": "running", "pid": os.getpid(), "heartbeat": 4e9}))
    for act in (manage.delete, lambda run: manage.rename(run, "x"), lambda run: manage.pack(run, io.BytesIO())):
        with pytest.raises(InputError, match="is being trained"):
            act(tiny)
    (tiny.path / "status.json").write_text(json.dumps({"v": 1, "state": "finished"}))
    with hold(tiny.path):  # just begun, or being measured
        for act in (manage.delete, lambda run: manage.rename(run, "x"), lambda run: manage.pack(run, io.BytesIO())):
            with pytest.raises(InputError, match="is being trained or measured"):
                act(tiny)
    assert tiny.exists
    assert manage.rename(tiny, "x").exists


def test_of_many_at_once_each_gets_a_name_of_its_own(home, tiny):
    file = io.BytesIO()
    manage.pack(tiny, file)
    content = file.getvalue()
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: manage.unpack(io.BytesIO(content), home, name="shared"), range(6)))
    assert len({run.name for run in runs}) == 6
    assert all(RunDir(run.path).metrics() == tiny.metrics() for run in runs)
