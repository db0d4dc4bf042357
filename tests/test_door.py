"""`import transclipped as tc`: it imports nothing heavy, lists its names, and their examples are correct."""

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import transclipped as tc
from transclipped.cli import main
from transclipped.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "numpy", "timm", "faiss", "streamlit")
BUNDLED = "hybrid-cifar10-32-clipped"


def test_import_is_light():
    code = f"import sys, transclipped as tc; dir(tc); print([name for name in {HEAVY} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_names_are_listed_and_others_raise():
    assert set(tc.__all__) <= set(dir(tc)) and "train" in tc.__all__
    with pytest.raises(AttributeError, match="no_such_name"):
        tc.no_such_name  # noqa: B018


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(tc.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names[0].asname]
    names = {n.names[0].asname: f"{n.module.removeprefix('transclipped.')}:{n.names[0].name}" for n in imports}
    assert names == tc._NAMES


@pytest.mark.parametrize("name", tc.__all__)
def test_examples_are_correct(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    value = getattr(tc, name)
    names = {**vars(sys.modules[value.__module__]), "tc": tc}
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(value), names, name, inspect.getsourcefile(value), 0)
    assert test.examples, f"{name} has no Examples"
    options = doctest.IGNORE_EXCEPTION_DETAIL | doctest.NORMALIZE_WHITESPACE
    report: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=options).run(test, out=report.append)
    assert not failed, "".join(report)


def test_wrong_keywords_of_training_name_the_right_setting(tmp_path):
    with pytest.raises(InputError, match="epochs"):
        tc.train(epoch=3, out=tmp_path / "run")
    with pytest.raises(InputError, match=r"rule.*clip|clip.*rule"):
        tc.train(rule="none", clip="rank", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_resuming_needs_the_run(capsys):
    with pytest.raises(InputError, match="resume=True needs out"):
        tc.train(resume=True)
    assert main(["train", "--resume"]) == 2 and "--resume needs --run" in capsys.readouterr().err


def test_keywords_are_flags_and_fields():
    from transclipped.flags import FLAGS
    from transclipped.training.api import by_path

    for flag in FLAGS:
        assert by_path({flag.name[2:].replace("-", "_"): 1}) == {flag.path: 1}
    assert by_path({"sigma": 2.0, "train_limit": None, "seed": 3}) == {"clipping.sigma": 2.0, "seed": 3}
    with pytest.raises(InputError):
        by_path({"name": "x"})  # ambiguous: backbone or loss


def test_a_run_opens_by_folder_and_by_name(tiny_run, tmp_path):
    run = tc.Run(tiny_run)
    assert run.metrics["n_queries"] == 40 and run.arrays.codes.shape == (200, 4)
    assert run.map == run.metrics["modes"]["asymmetric"]["map"] and run.config.schedule.epochs == 2
    assert tc.Run(BUNDLED).name == BUNDLED
    with pytest.raises(InputError, match=BUNDLED):
        tc.Run(BUNDLED.replace("cifar10", "cifar"))
    with pytest.raises(InputError):
        tc.Run(tmp_path)


def test_a_search_takes_embedding_image_file_and_id(tiny_run, tmp_path):
    run = tc.Run(tiny_run)
    searcher, images = tc.Searcher(run), tc.load_dataset("cifar10")
    row = int(run.arrays.database_ids[3])
    image = images.image(row)
    image.save(tmp_path / "query.png")
    hits = searcher.search(image, top=5)
    assert row in hits.ids and len(hits) == 5 and hits.scores == sorted(hits.scores, reverse=True)
    for query in (tmp_path / "query.png", str(tmp_path / "query.png")):
        assert searcher.search(query, top=5) == hits
    name = run.arrays.query_ids[0].item()
    hits = searcher.search(name, top=5)
    for query in (str(name), run.arrays.queries[0].astype(np.float32)):
        assert searcher.search(query, top=5) == hits
    with pytest.raises(InputError, match="missing"):
        searcher.search("missing.png")


def test_a_notebook_shows_hits_as_images(tiny_run, tmp_path):
    hits = tc.Searcher(tiny_run).search(Image.new("RGB", (32, 32)), top=4)
    assert hits._repr_html_().count("<img ") == 4 and hits[0].labels[0] in hits._repr_html_()
