"""What the cache holds is told by kind, and code keeps nothing there that is of none."""

import re
from pathlib import Path

import transclipped
from transclipped.datasets import storage
from transclipped.utils.files import cache_dir

PACKAGE = Path(transclipped.__file__).parent
BELOW_THE_CACHE = re.compile(r"cache_dir\(\)\)? /\s*(\S+)")


def test_all_that_code_writes_below_the_cache_is_of_a_known_kind():
    named = [
        (path.relative_to(PACKAGE).as_posix(), written)
        for path in PACKAGE.rglob("*.py")
        for written in BELOW_THE_CACHE.findall(path.read_text(encoding="utf-8"))
    ]
    unnamed = [place for place in named if not re.match(r'"[\w.]+"', place[1])]
    assert not unnamed, f"say what is written below the cache as a string, so that this test sees it: {unnamed}"
    kinds = {written.split('"')[1] for _, written in named}
    assert kinds == set(storage.KINDS), f"storage.KINDS and the code differ: {kinds ^ set(storage.KINDS)}"


def test_measured_speeds_are_not_taken_for_leavings_of_other_versions(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    for name in ("speed.json", "batches.json", "forgotten.json"):
        (cache_dir() / name).write_text("{}")
    assert {kind.name for kind in storage.stored()} == {"speed.json", "batches.json", storage.OTHER}
