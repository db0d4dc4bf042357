"""Exports are the same in plain pyarrow, plain faiss, torch.export and ONNX."""

import importlib.util
import json
from pathlib import Path

import faiss
import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet as pq
import pytest
import torch

from tests.search.conftest import refused
from transclipped.cli import main
from transclipped.config import DataConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.retrieval.coding.product import encode
from transclipped.runs.run import RunDir
from transclipped.runs.session import trained_model
from transclipped.search import export
from transclipped.search.searcher import Searcher
from transclipped.utils.files import ASSETS

BUNDLED = "cnn-cifar10-32-clipped hybrid-cifar10-32-clipped hybrid-caltech101-32-clipped"  # one for each backbone


def exported(capsys, run, what, out, *flags):
    assert main(["export", "--run", str(run), "--what", what, "--out", str(out), *flags, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_codes_are_read_back_from_parquet(tiny_run, tmp_path, capsys):
    written = exported(capsys, tiny_run, "parquet", tmp_path / "codes")
    stored, record = RunDir(tiny_run).retrieval(), RunDir(tiny_run).record
    table = pq.read_table(written["out"])
    assert table.column_names == ["id", "code", "label"]
    np.testing.assert_array_equal(np.array(table["code"].to_pylist(), np.uint8), stored.codes)
    assert table["id"].to_pylist() == stored.database_ids.tolist()
    assert table["label"].to_pylist() == [record["class_names"][c] for c in stored.database_labels]


def test_plain_faiss_returns_the_same(tiny_run, tmp_path, capsys):
    written = exported(capsys, tiny_run, "faiss", tmp_path / "index.faiss")
    searcher = Searcher(RunDir(tiny_run))
    index = faiss.read_index(written["out"])
    queries = searcher.stored.queries.astype(np.float32)
    n = index.ntotal
    scores, rows = index.search(queries, n)
    ours = searcher.index.search(queries, n)
    np.testing.assert_allclose(scores / written["score_is_faiss_score_divided_by"], ours.scores, atol=1e-6)
    for theirs, mine, score in zip(rows, ours.rows, ours.scores, strict=True):
        by_row = np.empty(n, np.float32)
        by_row[mine] = score
        np.testing.assert_allclose(by_row[theirs], score, atol=1e-6)  # the same order but among equal scores
    ids = pq.read_table(written["ids"])["id"].to_pylist()
    assert ids == searcher.stored.database_ids.tolist()


def test_collection_is_exported_too(tiny_run, tmp_path, capsys):
    images = load(DataConfig())
    (tmp_path / "few").mkdir()
    for row in range(3):
        (tmp_path / "few" / f"ä {row}.png").write_bytes(images.encoded(row))
    assert main(["encode", str(tmp_path / "few"), "--run", str(tiny_run), "--out", str(tmp_path / "c")]) == 0
    capsys.readouterr()
    written = exported(capsys, tiny_run, "codes", tmp_path / "c.parquet", "--collection", str(tmp_path / "c"))
    assert written["items"] == 3
    assert pq.read_table(tmp_path / "c.parquet")["id"].to_pylist() == ["ä 0.png", "ä 1.png", "ä 2.png"]


def test_embeddings_give_the_codes_and_can_be_trained_on(tiny_run, tmp_path, capsys):
    exported(capsys, tiny_run, "embeddings", tmp_path / "e.parquet")
    stored = RunDir(tiny_run).retrieval()
    table = pq.read_table(tmp_path / "e.parquet")
    database = np.array(table["role"].to_pylist()) == "database"
    vectors = np.array(table["embedding"].to_pylist(), np.float32)
    np.testing.assert_array_equal(encode(stored.codebooks, vectors[database]), stored.codes)
    np.testing.assert_allclose(vectors[~database], stored.queries, atol=1e-3)
    exported(capsys, tiny_run, "embeddings", tmp_path / "b.parquet", "--layer", "backbone")
    assert len(pq.read_table(tmp_path / "b.parquet")["embedding"][0]) == 1280
    flags = ["--data", tmp_path / "b.parquet", "--epochs", 1, "--batch", 50, "--run", tmp_path / "again"]
    assert main([*map(str, ["train", "--dataset", "embeddings", *flags])]) == 0
    assert RunDir(tmp_path / "again").metrics()["modes"]["asymmetric"]["map"] > 0.1


def test_encoder_is_the_model_for_any_number_of_images(tiny_run):
    backbone, head = trained_model(RunDir(tiny_run), default_size=32)
    encoder, example = export.Encoder(backbone, head).eval(), export.example_input(backbone)
    dynamic = {"pixels": {0: torch.export.Dim("batch", min=1)}}
    with torch.no_grad():
        captured = torch.export.export(encoder, (example,), dynamic_shapes=dynamic).module()
        for images in (example[:1], torch.cat([example, -example, example])):
            embedding, code = captured(images)
            expected = head.embed(backbone(images))
            torch.testing.assert_close(embedding, expected.flatten(1), atol=1e-5, rtol=1e-4)
            assert torch.equal(code.to(torch.uint8), head.quantizer.encode(expected))


def test_missing_packages_and_too_large_weights_are_refused(tiny_run, tmp_path, capsys, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else find_spec(name))
    message = refused(capsys, "export", "--run", tiny_run, "--what", "onnx", "--out", tmp_path / "x.onnx")
    assert "onnxscript" in message and "pip install" in message
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(export, "MAX_WEIGHTS", 1000)
    message = refused(capsys, "export", "--run", tiny_run, "--what", "onnx", "--out", tmp_path / "x.onnx")
    assert "GB of weights" in message and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", BUNDLED.split())
def test_onnx_equals_torch_for_every_bundled_backbone(name, tmp_path, capsys):
    run = RunDir(ASSETS / "runs" / name)
    written = exported(capsys, run.path, "onnx", tmp_path / "x.onnx")
    assert written["checked"]
    onnx.checker.check_model(written["out"], full_check=True)
    about = json.loads((tmp_path / "x.json").read_text())
    side = about["image_size"]
    assert side == run.record["image_size"] and about["backbone"] == run.config.backbone.name
    backbone, head = trained_model(run, default_size=side)
    session = onnxruntime.InferenceSession(written["out"], providers=["CPUExecutionProvider"])
    for n in (1, 2, 5):
        images = torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(n))
        embedding, code = session.run(["embedding", "code"], {"pixels": images.numpy()})
        with torch.inference_mode():
            expected = head.embed(backbone(images))  # [n, M, d]
            scores = torch.einsum("bmd,mkd->bmk", expected, head.quantizer.codewords())
        np.testing.assert_allclose(embedding, expected.flatten(1).numpy(), atol=1e-4)
        chosen = scores.gather(-1, torch.from_numpy(code)[..., None])[..., 0]
        torch.testing.assert_close(chosen, scores.amax(-1), atol=1e-4, rtol=0)  # the same codeword, or one as near


def test_file_with_other_output_than_torch_is_refused(tiny_run, tmp_path, capsys):
    exported(capsys, tiny_run, "onnx", tmp_path / "x.onnx")
    backbone, head = trained_model(RunDir(tiny_run), default_size=32)
    with torch.no_grad():
        head.projection.weight.neg_()
    with pytest.raises(InputError, match="other embeddings"):
        export._checked(tmp_path / "x.onnx", export.Encoder(backbone, head).eval(), export.example_input(backbone))


def test_bad_requests_are_reported_in_one_line(tiny_run, tmp_path, capsys):
    command = ["export", "--run", tiny_run]
    assert "is a folder" in refused(capsys, *command, "--what", "codes", "--out", f"{tmp_path}/.")
    assert "not a run" in refused(capsys, "export", "--run", tmp_path, "--what", "codes", "--out", tmp_path / "x")
    missing = ["--collection", tmp_path / "missing"]
    assert "missing" in refused(capsys, *command, "--what", "faiss", "--out", tmp_path / "x", *missing)
    assert "--collection" in refused(capsys, *command, "--what", "embeddings", "--out", tmp_path / "x", *missing)
    (tmp_path / "file").touch()
    for what in ("codes", "faiss"):
        assert "cannot write" in refused(capsys, *command, "--what", what, "--out", tmp_path / "file" / "x.out")
    with pytest.raises(InputError, match="layer"):
        list(export.embeddings(RunDir(tiny_run), tmp_path / "x.parquet", layer="middle"))


@pytest.mark.parametrize(("framed", "native_size"), [(True, None), (True, 32), (False, None)])
def test_preprocessing_says_padded_only_for_framed_images_without_a_native_size(tiny_run, framed, native_size):
    run = RunDir(tiny_run)
    backbone, _ = trained_model(run)
    backbone.framed, run.record["native_size"] = framed, native_size
    about = export._preprocessing(backbone, run)
    assert ("padded" in about["input"]) == (framed and native_size is None) and about["native_size"] == native_size


def test_names_with_dots_have_separate_files():
    stems = {"set.2023": "set.2023", "set.2024": "set.2024", "index.faiss": "index", "encoder.onnx": "encoder"}
    for name, stem in (stems | {"v1.5.onnx": "v1.5", "plain": "plain"}).items():
        assert export._beside(Path("out") / name, ".ids.parquet").name == f"{stem}.ids.parquet"
