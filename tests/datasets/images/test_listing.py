"""Large folders: counted as far as needed, looked through in parts, and what is known survives an end in between."""

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


def test_counting_ends_early(folder):
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "file").touch()
    assert listing.n_files(folder, most=100) == 9  # eight files and a folder
    assert 3 < listing.n_files(folder, most=3) <= 9


def test_parts_give_what_one_look_gives(folder, monkeypatch):
    found, _ = listing.scan(folder)
    at_once = listing.whole(folder, found)
    listing._cache_file(folder).unlink()
    monkeypatch.setattr(listing, "SLICE", 2)
    assert listing.whole(folder, found) == at_once
    assert [name for name, _ in at_once[1]] == ["text.txt"] and listing.n_remembered(folder) == 7
    assert listing.whole(folder, found) == at_once  # from memory


def test_an_end_in_between_keeps_what_was_looked_at(folder, monkeypatch):
    found, _ = listing.scan(folder)
    looked, real = [], listing.fault

    def halting(path):
        if len(looked) == 4:
            raise KeyboardInterrupt
        looked.append(path.name)
        return real(path)

    monkeypatch.setattr(listing, "SLICE", 2)
    monkeypatch.setattr(listing, "fault", halting)
    with pytest.raises(KeyboardInterrupt):
        listing.whole(folder, found)
    assert listing.n_remembered(folder) == 4
    monkeypatch.setattr(listing, "fault", lambda path: looked.append(path.name) or real(path))
    listing.whole(folder, found)
    assert sorted(looked) == sorted(file.id.rpartition("/")[2] for file in found)  # none twice


def test_an_unknown_folder_remembers_nothing(folder):
    assert listing.n_remembered(folder / "nowhere") == 0
