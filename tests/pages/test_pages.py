"""Every page in every state of a run: missing, finished, unfinished, failed, damaged. Never a traceback."""

import os
import shutil

import pytest

from tests.pages.conftest import PAGES, ROOT, absent, arrived, keys, links, opened, unfinish, words
from transclipped.runs import manage
from transclipped.runs.run import RunDir

LONGEST = 60  # lines; a page only lays out what its folder in transclipped/ui draws
NEEDS_NO_RUN = {
    "clipping": "clip_rule",
    "datasets": "set",
    "pipeline": "pipe",
    "train": "start",
}  # with the key of a widget
OF_A_RUN = {"anatomy": "follow", "benchmarks": "runs", "clipping": "epoch", "codebooks": "beside"}
OF_A_RUN |= {"embeddings": "map_which", "overview": "another", "retrieval": "how", "train": "curves"}  # likewise
FILES = ("config.json", "metrics.json", "retrieval.npz", "status.json", "model.safetensors", "events.jsonl")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_only_lays_out(page):
    assert len((ROOT / "pages" / f"{page}.py").read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("page", PAGES)
def test_without_a_run_a_page_works_or_links_to_train(home, page):
    app = opened(page)
    assert not app.error and OF_A_RUN.get(page) not in keys(app)
    if page in NEEDS_NO_RUN:
        assert NEEDS_NO_RUN[page] in keys(app)
    else:
        assert "train" in links(app)


@pytest.mark.parametrize("page", PAGES)
def test_finished_run(finished, page):
    app = opened(page)
    assert app.selectbox(key="run").value == "tiny"
    assert not app.error, [e.value for e in app.error]
    assert OF_A_RUN.get(page, NEEDS_NO_RUN.get(page)) in keys(app)


@pytest.mark.parametrize("state", ["stopped", "failed", "interrupted"])
@pytest.mark.parametrize("page", PAGES)
def test_unfinished_run(finished, page, state):
    unfinish(finished, state=state, error="the disk was full")
    text = words(opened(page))
    if state == "failed" and page in ("train", "clipping", "retrieval"):
        assert "the disk was full" in text


@pytest.mark.parametrize("damaged", FILES)
@pytest.mark.parametrize("page", PAGES)
def test_damaged_file(finished, page, damaged):
    (finished / damaged).write_bytes(b"\x00damaged")
    opened(page)


@pytest.mark.parametrize("missing", FILES)
@pytest.mark.parametrize("page", PAGES)
def test_missing_file(finished, page, missing):
    (finished / missing).unlink()
    opened(page)


@pytest.mark.parametrize("page", PAGES)
def test_nonsense_in_the_address_is_reported_and_replaced(finished, page):
    app = arrived(page, run="gone", delta="mountain", rule="none of these", query="-7", hit="x")
    assert app.selectbox(key="run").value == "tiny"
    assert "run" in absent(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_deleted_run_is_replaced_on_the_whole_page_and_reported(finished, home, page):
    shutil.copytree(finished, home / "zebra")
    app = arrived(page, run="zebra")
    assert app.selectbox(key="run").value == "zebra" and not app.warning
    shutil.rmtree(home / "zebra")
    app.run()
    assert app.selectbox(key="run").value == "tiny" and not app.exception
    assert app.selectbox(key="run").proto.set_value  # or the browser's box would still show zebra
    assert "run" in absent(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_a_former_name_opens_the_renamed_run(finished, home, page):
    shutil.copytree(finished, home / "aardvark")
    os.utime(home / "aardvark" / "config.json", (4e9, 4e9))  # the newest, so the default
    manage.rename(RunDir(finished), "zebra")
    app = arrived(page, run="tiny")
    assert app.selectbox(key="run").value == "zebra" and app.query_params["run"] == "zebra"
    assert "run" in absent(app)
    manage.rename(RunDir(home / "zebra"), "okapi")
    assert app.run().selectbox(key="run").value == "okapi" and not app.exception
    assert "run" in absent(app)


def test_an_invalid_setting_on_train_is_explained(finished):
    app = opened("train")
    app.text_input[0].set_value("a/b").run()
    assert not app.exception
    assert app.button(key="start").disabled
    assert "a/b" in words(app).replace("\\", "")


def test_an_upload_that_is_not_an_image_is_refused(finished):
    app = opened("retrieval")
    app.segmented_control(key="how").set_value("upload").run()
    app.file_uploader[0].upload("notes.txt", b"not an image", "text/plain").run()
    assert not app.exception
    assert "notes.txt" in words(app)
