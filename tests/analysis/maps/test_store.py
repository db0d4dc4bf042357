"""Settings of maps, and their cache."""

import numpy as np
import pytest

from tests.points import groups
from transclipped.analysis.maps import store as map_store
from transclipped.analysis.maps.store import Map, UmapSettings
from transclipped.errors import InputError


@pytest.mark.parametrize(
    "wrong", [{"n_neighbors": 1}, {"min_dist": -0.1}, {"min_dist": np.nan}, {"metric": "manhattan"}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        UmapSettings(**wrong)


def test_key_depends_on_content_and_settings(rng):
    x = groups(rng)
    changed = x.copy()
    changed[0, 0] += 1
    pairs = [(x, 15), (x, 5), (changed, 15), (changed, 5)]
    keys = [map_store.map_key(map_store.digest(v), UmapSettings(n_neighbors=n)) for v, n in pairs]
    assert len(set(keys)) == 4
    assert keys[0] == map_store.map_key(map_store.digest(x.copy()), UmapSettings())


def test_stored_map_is_loaded_and_a_torn_one_is_not(cache):
    assert map_store.stored_map("ab") is None
    path = map_store.store_map("ab", Map(np.ones((3, 2)), None))
    assert map_store.stored_map("ab").trustworthiness is None
    path.write_bytes(path.read_bytes()[:60])
    assert map_store.stored_map("ab") is None
