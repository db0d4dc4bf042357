"""Every page with a run trained on external embeddings: no images, no backbone."""

import shutil

import numpy as np
import pytest

from tests.pages.conftest import PAGES, opened
from transclipped.cli import main


@pytest.fixture(scope="module")
def external(tmp_path_factory, own_cache):
    """A run on 200 labelled embeddings of 16 numbers."""
    folder = tmp_path_factory.mktemp("external")
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), 50)
    vectors = rng.normal(size=(4, 16))[classes] + 0.3 * rng.normal(size=(200, 16))
    np.savez(folder / "vectors.npz", embeddings=vectors, labels=np.array(["ash", "elm", "fir", "oak"])[classes])
    flags = ["--dataset", "embeddings", "--data", str(folder / "vectors.npz"), "--epochs", "2", "--batch", "40"]
    assert main(["train", *flags, "--dim", "16", "--run", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_without_images(page, home, external):
    shutil.copytree(external, home / "external")
    assert opened(page, run="external").title


def test_an_item_without_an_image_is_followed_from_its_code(home, external):
    shutil.copytree(external, home / "external")
    for follow in ("query", "database"):
        app = opened("anatomy", run="external", follow=follow)
        steps = [header.value[0] for header in app.header if " · " in header.value]
        assert not app.error and app.warning and steps == list("14567")  # without the two of the network
