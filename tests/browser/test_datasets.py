"""The Data sets page in a browser: open a folder, follow a check, enlarge an image."""

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import settled
from transclipped.datasets.images.decode import to_png

pytestmark = pytest.mark.browser


@pytest.fixture
def album(tmp_path):
    """Twenty images, one of them twice."""
    rng = np.random.default_rng(0)
    for i in range(20):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        (tmp_path / f"{i:02d}.png").write_bytes(to_png(coarse.resize((96, 96))))
    (tmp_path / "again.png").write_bytes((tmp_path / "00.png").read_bytes())
    return tmp_path


def main(page):
    return page.locator('[data-testid="stMain"]')


def open_folder(page) -> None:
    page.get_by_role("button", name="Open it").click()
    settled(page)


def test_a_check_of_a_folder_is_followed(server, page, album):
    page.goto(f"{server}/datasets?set=folder&folder={album}")
    open_folder(page)
    main(page).get_by_text("21 of 21 images").wait_for()
    page.get_by_role("button", name="Check every image").click()
    main(page).get_by_text("21 of 21", exact=True).wait_for()  # the metric of the report
    main(page).get_by_text("Duplicate files, 1 of 1").wait_for()
    page.reload()  # the report is stored
    open_folder(page)
    main(page).get_by_text("Duplicate files, 1 of 1").wait_for()


def test_a_clicked_image_has_its_path(server, page, album):
    page.goto(f"{server}/datasets?set=folder&folder={album}")
    open_folder(page)
    page.get_by_role("button", name="00.png").first.click()
    main(page).get_by_text(str(album / "00.png")).wait_for()


def test_choosing_a_set_keeps_it_in_the_address(server, page):
    page.goto(f"{server}/datasets")
    settled(page)
    page.get_by_role("radio", name="Caltech-101").click()
    page.wait_for_function("() => location.search.includes('set=caltech101')")
    main(page).get_by_text("24 of 3,030 images").wait_for()
    page.reload()
    settled(page)
    main(page).get_by_text("24 of 3,030 images").wait_for()
