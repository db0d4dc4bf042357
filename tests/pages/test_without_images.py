"""Every page over a run that was trained on embeddings made elsewhere: no images, no backbone."""

import shutil

import numpy as np
import pytest

from tests.pages.conftest import PAGES, opened, words
from transclipped.cli import main


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, own_cache):
    """A run on 200 labelled embeddings of 16 numbers."""
    folder = tmp_path_factory.mktemp("elsewhere")
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), 50)
    vectors = rng.normal(size=(4, 16))[classes] + 0.3 * rng.normal(size=(200, 16))
    np.savez(folder / "found.npz", embeddings=vectors, labels=np.array(["ash", "elm", "fir", "oak"])[classes])
    flags = ["--dataset", "embeddings", "--data", str(folder / "found.npz"), "--epochs", "2", "--batch", "40"]
    assert main(["train", *flags, "--dim", "16", "--run", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.parametrize("page", PAGES)
def test_page_opens_without_images(page, home, elsewhere):
    shutil.copytree(elsewhere, home / "elsewhere")
    app = opened(page, run="elsewhere")
    assert not app.exception, [error.message for error in app.exception]
    assert app.title


def test_an_item_without_an_image_is_followed_from_its_code(home, elsewhere):
    shutil.copytree(elsewhere, home / "elsewhere")
    for follow in ("query", "database"):
        app = opened("anatomy", run="elsewhere", follow=follow)
        assert not app.error
        assert "embeddings made elsewhere" in words(app) and "7 · Score" in words(app)
