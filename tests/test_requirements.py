"""Lower bounds of requirements.txt; `python -m tests.tools.lowest_versions` shows that they work together."""

from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

LINES = (Path(__file__).resolve().parents[1] / "requirements.txt").read_text().split("\n")
REQUIREMENTS = {r.name: r for r in map(Requirement, filter(None, LINES))}

SAFE = {
    "pillow": "13.0.0",  # CVE-2026-96639, overflow in a decoder, and older ones in formats not used here
    "torch": "2.10",  # CVE-2025-32434 and CVE-2026-24747: torch.load(weights_only=True) ran code, corrupted memory
    "tqdm": "4.66.3",  # CVE-2024-34062
    "umap-learn": "0.5.12",  # earlier versions fail with scikit-learn 1.8
}


def test_installed_versions_meet_the_lower_bound_of_every_package():
    for name, requirement in REQUIREMENTS.items():
        assert [s.operator for s in requirement.specifier] == [">="], name
        assert requirement.specifier.contains(version(name)), name


@pytest.mark.parametrize(("name", "least"), SAFE.items())
def test_vulnerable_versions_are_excluded(name, least):
    (bound,) = REQUIREMENTS[name].specifier
    assert Version(bound.version) >= Version(least)
