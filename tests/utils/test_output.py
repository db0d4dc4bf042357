"""Output in any encoding: nothing is lost, and JSON stays valid."""

import io
import json
import sys

import pytest

from transclipped.utils.output import escape_in_output

NAMES = ["写真.jpg", "مرحبا", "Łódź", "été", "😀", "\udc80 no UTF-8", "plain"]


@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "latin-1", "ascii", "utf-8"])
def test_json_of_any_name_is_read_back(encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    escape_in_output()
    print(json.dumps(NAMES, ensure_ascii=False))
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode(encoding)) == NAMES
