"""Large folders: counted as far as needed, checked in slices, and the cache survives an interruption."""

import pytest
from PIL import Image

from transclipped.datasets.images import listing


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "images"
    (root / "inner").mkdir(parents=True)
    for i in range(7):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(root / ("inner" if i % 2 else ".") / f"{i}.png")
    (root / "text.txt").write_text("no image")
    return root


def test_counting_stops_early(folder):
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "file").touch()
    assert listing.n_files(folder, most=100) == 9  # eight files and a folder
    assert 3 < listing.n_files(folder, most=3) <= 9


def test_slices_give_the_same_result(folder, monkeypatch):
    files, _ = listing.scan(folder)
    at_once = listing.whole(folder, files)
    listing._cache_file(folder).unlink()
    monkeypatch.setattr(listing, "SLICE", 2)
    assert listing.whole(folder, files) == at_once
    assert [name for name, _ in at_once[1]] == ["text.txt"] and listing.n_cached_images(folder) == 7
    assert listing.whole(folder, files) == at_once  # from the cache


def test_an_interruption_keeps_finished_slices(folder, monkeypatch):
    files, _ = listing.scan(folder)
    opened, real = [], listing.fault

    def halting(path):
        if len(opened) == 4:
            raise KeyboardInterrupt
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr(listing, "SLICE", 2)
    monkeypatch.setattr(listing, "fault", halting)
    with pytest.raises(KeyboardInterrupt):
        listing.whole(folder, files)
    assert listing.n_cached_images(folder) == 4
    monkeypatch.setattr(listing, "fault", lambda path: opened.append(path.name) or real(path))
    listing.whole(folder, files)
    assert sorted(opened) == sorted(file.id.rpartition("/")[2] for file in files)  # none twice


def test_an_unknown_folder_has_no_cache(folder):
    assert listing.n_cached_images(folder / "nowhere") == 0
