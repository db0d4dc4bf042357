"""The selection on a map, whatever the browser sends, and its export."""

import base64
import io
import re
import tracemalloc
import zlib

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.points import stored_of
from transclipped.analysis.maps import selection as map_selection
from transclipped.analysis.maps.projections import items
from transclipped.analysis.maps.store import Items


@pytest.mark.parametrize("sent", [None, 3, "12", b"1", {"rows": 1}, [None, "a", True, -1, 99, 1.5, np.nan, [2]]])
def test_nonsense_from_a_browser_selects_nothing(sent):
    assert not len(map_selection.chosen(sent, 10))


@given(st.lists(st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.booleans())), st.integers(0, 40))
@settings(deadline=None)
def test_choice_is_always_sorted_rows_of_the_items(sent, n):
    rows = map_selection.chosen(sent, n).tolist()
    assert rows == sorted(set(rows)) and all(0 <= row < n for row in rows)
    assert set(rows) <= {value for value in sent if isinstance(value, int | float)}


def test_row_of_the_id_in_the_url(rng):
    points = items(stored_of(rng), "queries")
    assert [map_selection.row_of_id(points, name) for name in ("103", "3", None)] == [3, None, None]


def some_items(n, labels=None, start=0):
    return Items("queries", np.arange(start, start + n), labels, np.zeros((n, 1), np.uint8), {})


@given(st.integers(1, 400), st.integers(0, 10_000), st.floats(0, 1))
@settings(deadline=None)
def test_a_selection_survives_a_link(n, seed, share):
    points = some_items(n)
    rows = np.flatnonzero(np.random.default_rng(seed).random(n) < share)
    text = map_selection.to_link(points, rows)
    assert re.fullmatch(r"[0-9a-f]{8}\.[\w-]+", text)
    assert map_selection.from_link(points, text).tolist() == rows.tolist()
    assert map_selection.from_link(some_items(n, start=1), text) is None
    assert map_selection.from_link(some_items(n + 8), text) is None


def test_links_of_10_000_images_stay_short(rng):
    points = some_items(10_000)
    assert max(len(map_selection.to_link(points, rng.permutation(10_000)[:n])) for n in (0, 10, 5000, 10_000)) < 1800


@given(st.text(max_size=40))
@settings(deadline=None)
def test_nonsense_in_a_link_selects_nothing(text):
    points = some_items(30)
    assert map_selection.from_link(points, text) is None
    assert map_selection.from_link(points, f"{map_selection.key_of(points)}.{text}") is None


def test_a_bomb_in_a_link_is_not_unpacked():
    points = some_items(30)
    bomb = base64.urlsafe_b64encode(zlib.compress(bytes(50_000_000), 9)).decode()
    tracemalloc.start()
    assert map_selection.from_link(points, f"{map_selection.key_of(points)}.{bomb}") is None
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_classes_of_a_selection_are_counted_most_frequent_first():
    single = some_items(6, np.array([2, 0, 2, -1, 1, 1]))
    assert map_selection.class_counts(single, np.arange(6)) == [(1, 2), (2, 2), (0, 1)]
    assert map_selection.class_counts(single, np.array([3])) == []
    several = some_items(3, np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], np.uint8))
    assert map_selection.class_counts(several, np.array([0, 1, 2])) == [(1, 2), (0, 1)]
    assert map_selection.class_counts(some_items(3), np.array([0])) == []


def test_exports_hold_the_selected_rows_or_none(rng):
    points = Items(
        "queries",
        np.array(["a,b.png", 'c"d.png', "e.png"]),
        np.array([[1, 1], [0, 0], [0, 1]], np.uint8),
        np.array([[0, 255], [1, 2], [3, 4]], np.uint8),
        {"quantized": np.zeros((3, 2), np.float32)},
    )
    xy = np.arange(6, dtype=np.float32).reshape(3, 2)
    table = map_selection.selection_table(points, np.array([0, 2]), ["sky", "sea"], {"pca": xy})
    assert table == {
        "id": ["a,b.png", "e.png"],
        "labels": ["sky;sea", "sea"],
        "code": ["00ff", "0304"],
        "pca x": [0.0, 4.0],
        "pca y": [1.0, 5.0],
    }
    assert map_selection.to_csv(table).decode().splitlines()[1] == '"a,b.png",sky;sea,00ff,0.0,1.0'
    assert pq.read_table(io.BytesIO(map_selection.to_parquet(table))).to_pydict() == table
    table = map_selection.selection_table(items(stored_of(rng), "queries"), np.zeros(0, int), [], {})
    assert map_selection.to_csv(table) == b"id,labels,code\n"
    assert pq.read_table(io.BytesIO(map_selection.to_parquet(table))).num_rows == 0
