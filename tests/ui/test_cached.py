"""Rows by id are one table for all visitors and all runs on the same pictures."""

import pytest

from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.ui import cached


def test_rows_are_shared_and_those_of_pictures_that_are_gone_refuse():
    data = cached.named_data(DataConfig(dataset="cifar10"))
    rows = cached.rows_of_ids(data)
    assert cached.rows_of_ids(cached.named_data(DataConfig(dataset="cifar10"))) is rows
    identity = cached.pictures(data).ids[7].item()
    assert rows[identity] == 7 and len(rows) == len(cached.pictures(data))
    with pytest.raises(InputError, match="no longer"):
        rows["gone"]
    assert "gone" not in rows
