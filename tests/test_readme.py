"""README and the documents in assets/: commands parse, links lead somewhere, numbers are those that were measured."""

import ast
import re
import shlex

import pandas as pd
import pytest

from transclipped.analysis.runs_report import row
from transclipped.analysis.tables import markdown, summary
from transclipped.cli import _parser
from transclipped.runs.run import RunDir
from transclipped.ui.shell import ORDER
from transclipped.utils.files import ASSETS, read_json

ROOT = ASSETS.parent
DOCUMENTS = [ROOT / "README.md", *sorted(ASSETS.rglob("*.md"))]
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
README = TEXTS[ROOT / "README.md"]
QUALITY = read_json(ASSETS / "models" / "quality.json")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def commands() -> list[str]:
    """Lines of all documents' shell blocks, those of list items too."""
    lines = [line.strip() for text in TEXTS.values() for block in blocks(text, "bash") for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line))


def test_the_app_and_the_tests_take_one_command_each():
    assert "python -m pip install -r requirements.txt && python -m streamlit run app.py" in README.splitlines()
    tests = "python -m pip install -r requirements.txt -r tests/requirements.txt && python -m pytest"
    assert tests in README.splitlines()


def test_the_readme_can_be_read_in_three_minutes():
    assert len(README.split()) <= 800 and len(README.splitlines()) <= 110


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("python -m transclipped ")])
def test_commands_parse(line):
    _parser().parse_args(shlex.split(line, comments=True)[3:])


def test_modules_that_are_named_exist():
    for path, text in TEXTS.items():
        for module in re.findall(r"python -m (tests[.\w]+)", text):
            assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), (path, module)


def test_links_lead_to_files_and_headings():
    for path, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if target.startswith("http"):
                continue
            file, _, heading = target.partition("#")
            linked = path.parent / file if file else path
            assert linked.exists(), (path, target)
            lines = TEXTS.get(linked.resolve(), "").splitlines()
            headings = [line.lstrip("# ").lower().replace(" ", "-") for line in lines if line.startswith("#")]
            assert not heading or heading in headings, (path, target)


def test_python_in_the_readme_is_valid():
    assert [ast.parse(block) for block in blocks(README, "python")]


def test_pages_are_listed_as_the_app_lists_them():
    assert re.findall(r"^- \*\*(.+?)\*\*:", README, re.M) == [title for _, title, _ in ORDER]


def test_results_are_those_of_the_bundled_runs():
    names = [f"{network}-cifar10-32-{clipping}" for network in ("hybrid", "cnn") for clipping in ("none", "clipped")]
    runs = [row(RunDir(ASSETS / "runs" / name)) for name in names]
    table = pd.DataFrame(runs)[["backbone", "clipping", "asymmetric"]].rename(columns={"asymmetric": "mAP@1000"})
    table["backbone"] = table["backbone"].replace("efficientnet-lite0", "efficientnet-lite0 (CNN)")
    assert markdown(table) in README
    assert f"mAP@1000 {runs[1]['asymmetric']:.3f}. The first training" in README


def test_the_gain_is_that_of_the_study():
    rules = summary(ASSETS / "study", "rules-I")
    at_32 = rules[rules["bits"] == 32].set_index("label")["map"]
    assert f"from {at_32['none']:.3f} to {at_32.max():.3f} (three seeds)" in " ".join(README.split())


@pytest.mark.parametrize("name", QUALITY)
def test_model_cards_hold_what_was_measured(name):
    card = " ".join(TEXTS[ASSETS / "models" / f"{name}.md"].split())
    for dataset, values in QUALITY[name].items():
        if isinstance(values, dict):
            assert f"| {dataset} | {values['size']} px | {values['accuracy']:.3f} | {values['map']:.3f} |" in card
    if name != "efficientnet-lite0":
        assert f"at {QUALITY[name]['speed_ratio']:.2f} times the bare CNN's" in card
