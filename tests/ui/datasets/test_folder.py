"""Pasted paths."""

import os
from pathlib import Path

import pytest

from transclipped.ui.datasets.folder import cleaned

HOME = str(Path.home())


@pytest.mark.skipif(os.name == "nt", reason="paths of other systems")
@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a/b", "/a/b"), (" /a/b \n", "/a/b"), ("/a/b/", "/a/b"), ("/a/b///", "/a/b"), ("/", "/"), ("", ""),
        ("'/a/my b'", "/a/my b"), ('"/a/b/"', "/a/b"), ("'", "'"), ("/it's", "/it's"),
        ("file:///a/my%20b", "/a/my b"), ("FILE:///a", "/a"), ("file://localhost/a/b/", "/a/b"), ("'file:///a'", "/a"),
        ("~", HOME), ("~/b", f"{HOME}/b"), ("a/b", "a/b"), ("http://host/a", "http://host/a"),
    ],
)  # pairs of a table  # fmt: skip
def test_quotes_schemes_and_slashes_are_removed(text, path):
    assert cleaned(text) == path
    assert cleaned(path) == path
