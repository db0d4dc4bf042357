"""Visits, click by click, and what the screen must then show."""

import io
import re

import numpy as np
import pytest

from tests.browser.conftest import ROOT, settled
from transclipped.runs.run import RunDir

pytestmark = pytest.mark.browser
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
BUNDLED = RunDir(ROOT / "assets/runs/cnn-cifar10-32-clipped")


def go(page, server, path="", **query):
    words = "&".join(f"{name}={value}" for name, value in query.items())
    page.goto(f"{server}/{path}?{words}")
    settled(page)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_by_link_without_errors_or_requests_to_other_hosts(server, page, name):
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    go(page, server, "" if name == "overview" else name, run=BUNDLED.name)
    assert page.locator("h1").count() == 1
    assert page.locator('[data-testid="stAlertContentError"]').count() == 0
    assert BUNDLED.config.backbone.name in page.locator('[data-testid="stSidebar"]').inner_text()
    page.wait_for_load_state("networkidle")
    local = (server, server.replace("http", "ws", 1), "data:", "blob:")
    assert requests and [url for url in requests if not url.startswith(local)] == []


def test_the_first_screen_shows_the_measured_map_of_a_bundled_run(server, page):
    go(page, server, run=BUNDLED.name)
    value = page.locator('[data-testid="stMetricValue"]').first.inner_text()
    assert value == f"{BUNDLED.metrics()['modes']['asymmetric']['map']:.3f}"


def test_most_hits_of_an_uploaded_image_have_its_class(server, page):
    from transclipped.config import DataConfig
    from transclipped.datasets.registry import load

    images = load(DataConfig(dataset="cifar10"))
    row = int(np.flatnonzero(images.labels[:50_000] == images.class_names.index("automobile"))[3])
    file = io.BytesIO()
    images.image(row).save(file, "PNG")
    go(page, server, "retrieval", run=BUNDLED.name, how="upload")
    page.locator('[data-testid="stFileUploaderDropzoneInput"]').set_input_files(
        {"name": "car.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    first = page.get_by_text(re.compile(r"^#1 ")).first
    first.wait_for()
    settled(page)
    captions = page.get_by_text(re.compile(r"^#\d+ ")).all_inner_texts()
    assert sum("automobile" in caption for caption in captions[:10]) >= 6


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_a_narrow_window(server, page, name, scheme):
    page.set_viewport_size({"width": 600, "height": 900})
    page.emulate_media(color_scheme=scheme)
    go(page, server, "" if name == "overview" else name, run=BUNDLED.name)
    overflow = "() => document.documentElement.scrollWidth - window.innerWidth"
    assert page.evaluate(overflow) <= 0
