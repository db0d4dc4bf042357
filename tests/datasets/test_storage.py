"""All content of the cache has a kind."""

import re
from pathlib import Path

import transclipped
from transclipped.datasets import storage
from transclipped.utils.files import cache_dir

PACKAGE = Path(transclipped.__file__).parent
BELOW_THE_CACHE = re.compile(r"cache_dir\(\)\)? /\s*(\S+)")


def test_everything_written_to_the_cache_has_a_kind():
    paths = [
        (path.relative_to(PACKAGE).as_posix(), written)
        for path in PACKAGE.rglob("*.py")
        for written in BELOW_THE_CACHE.findall(path.read_text(encoding="utf-8"))
    ]
    unnamed = [path for path in paths if not re.match(r'"[\w.]+"', path[1])]
    assert not unnamed, f"write the name below the cache folder as a string: {unnamed}"
    kinds = {written.split('"')[1] for _, written in paths}
    assert kinds == set(storage.KINDS), f"storage.KINDS and the code differ: {kinds ^ set(storage.KINDS)}"


def test_measured_speeds_have_a_kind(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    for name in ("speed.json", "batches.json", "forgotten.json"):
        (cache_dir() / name).write_text("{}")
    assert {kind.name for kind in storage.stored()} == {"speed.json", "batches.json", storage.OTHER}
