"""References of a setting, and their entries as BibTeX."""

import re
from collections import Counter

import pytest

import transclipped as tc
from transclipped.analysis import field, references
from transclipped.config import BackboneConfig, ClippingConfig, DataConfig, RunConfig
from transclipped.retrieval.stages import STAGES

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


OWN = "this project"
ABSTRACTS = ("Serrano et al. 2010, ICPR", "NCAA 2018", "Ding et al. 2018, CAC")
"""Works that are known by their abstracts alone, whose titles could not be compared."""


def stages():
    """Sources of our stages by name; plug-ins have their own."""
    tc.Pipeline("float")  # imports all
    ours = {name: s for name, s in STAGES.items() if s.function.__module__.startswith("transclipped.")}
    return {name: stage.source for name, stage in ours.items()}


def test_the_source_of_every_stage_has_an_entry():
    cites = {name: references.of_stage(source) for name, source in stages().items()}
    unknown = {name for name, keys in cites.items() if not keys}
    assert unknown == {n for n, source in stages().items() if source in ABSTRACTS or source == OWN}
    expected = {
        "gem": ["radenovic2019"],
        "pq": ["jegou2011"],
        "exact": ["jegou2011b"],
        "rocchio": ["rocchio1971"],
        "sum": ["fox1994"],
        "mpfa": ["hoang2017"],
        "clipped": ["wang2022"],
        "float": ["douze2024"],
        "backbone": ["wightman2019"],
        "regions": ["li2020"],
        "flatness": ["li2020"],
    }
    assert {name: cites[name] for name in expected} == expected


def test_every_cited_work_has_an_entry():
    cites = {*references._ALWAYS, "wightman2019", *references._DATASETS.values()}
    cites |= {*references._BACKBONES.values()} | {key for keys in references._RULES.values() for key in keys}
    cites |= {key for source in stages().values() for key in references.of_stage(source)}
    cites |= {system.key for system in field.SYSTEMS} - {""}
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
        assert key.rstrip("b") == name.rstrip("b") == f"{surname}{fields['year']}"
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
