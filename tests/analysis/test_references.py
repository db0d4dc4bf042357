"""References of a setting, and their entries as BibTeX."""

import re
from collections import Counter

import pytest

from transclipped.analysis import references
from transclipped.config import BackboneConfig, ClippingConfig, DataConfig, RunConfig

WHERE = {"inproceedings": "booktitle", "article": "journal", "techreport": "institution", "misc": None}
TEXT = references.FILE.read_text(encoding="utf-8")


def parsed(entry: str) -> tuple[str, str, dict[str, str]]:
    """Kind, key and fields of an entry."""
    kind, key = re.match(r"@(\w+)\{(\w+),", entry).groups()
    return kind, key, dict(re.findall(r"^  (\w+) = \{(.*)\},?$", entry, re.MULTILINE))


def test_citations_follow_the_settings():
    data, backbone = DataConfig(dataset="caltech101"), BackboneConfig(name="hybrid-vit")
    hybrid = RunConfig(data=data, backbone=backbone, clipping=ClippingConfig(rule="debiased"))
    assert {"feifei2004", "dosovitskiy2021", "tan2019", "chuang2020", "wang2022"} <= set(references.cited(hybrid))
    dino = RunConfig(backbone=BackboneConfig(name="vit_base_patch14_dinov2.lvd142m"))
    assert {"oquab2024", "krizhevsky2009", "dubey2024"} <= set(references.cited(dino))
    assert "caron2021" not in references.cited(dino)


def test_every_cited_work_has_an_entry():
    cites = {*references._ALWAYS, "wightman2019", *references._DATASETS.values()}
    cites |= {*references._BACKBONES.values()} | {key for keys in references._RULES.values() for key in keys}
    assert cites == references.entries(TEXT).keys()


def test_no_entry_is_torn_or_repeated():
    entries = references.entries(TEXT)
    assert Counter(re.findall(r"^@\w+\{(\w+),$", TEXT, re.MULTILINE)) == Counter(entries.keys())
    for entry in entries.values():
        _, _, fields = parsed(entry)
        assert entry.count("{") == entry.count("}") and entry.count("\n") == len(fields) + 1, entry


def test_entries_are_consistent():
    """Key, first author and year; an arXiv number of the publication year or the two before; no arXiv number twice."""
    numbers = []
    for name, entry in references.entries(TEXT).items():
        kind, key, fields = parsed(entry)
        surname = fields["author"].partition(",")[0].replace(r"{\'e}", "e").replace("-", "").lower()
        assert key == name == f"{surname}{fields['year']}"
        assert fields.keys() & set(WHERE.values()) == {WHERE[kind]} - {None}, key
        assert ("eprint" in fields) == (fields.get("archivePrefix") == "arXiv"), key
        if "eprint" in fields:
            year, month = re.fullmatch(r"(\d\d)(\d\d)\.\d{5}", fields["eprint"]).groups()
            assert 1 <= int(month) <= 12 and int(fields["year"]) - 2 <= 2000 + int(year) <= int(fields["year"]), key
            numbers.append(fields["eprint"])
    assert len(set(numbers)) == len(numbers)


def test_an_export_is_sorted_and_unique_and_a_torn_entry_breaks_no_other():
    text = references.bibtex(["dubey2024", "chen2020", "dubey2024"])
    first, second = text.split("\n\n")
    assert parsed(first)[1] == "chen2020" and parsed(second)[2]["eprint"] == "2401.15362"
    assert text.endswith("\n}\n") and list(references.entries(text)) == ["chen2020", "dubey2024"]
    with pytest.raises(KeyError):
        references.bibtex(["unknown1900"])
    whole = "@misc{b1999,\n  title = {{B}},\n  note = {a } and {an @ inside}\n}"
    assert references.entries(f"% a comment\n@misc{{a1999,\n  title = {{A}},\n\n{whole}\n") == {"b1999": whole}
