"""README and the documents in assets/: commands parse, code and links are valid, numbers are the measured ones."""

import ast
import dataclasses
import inspect
import json
import re
import shlex
import sys
from typing import Any

import pandas as pd
import pytest

import transclipped as tc
from transclipped.analysis.headline import headline
from transclipped.analysis.runs_report import row
from transclipped.analysis.tables import markdown
from transclipped.cli import _parser
from transclipped.config import ClippingConfig
from transclipped.runs.run import RunDir
from transclipped.training.api import by_path
from transclipped.ui.shell import ORDER
from transclipped.utils.files import ASSETS, read_json

ROOT = ASSETS.parent
DOCUMENTS = [ROOT / "README.md", *sorted(ASSETS.rglob("*.md"))]
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
README = TEXTS[ROOT / "README.md"]
CELLS = json.loads((ASSETS / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
NOTEBOOK = "\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code")
QUALITY = read_json(ASSETS / "models" / "quality.json")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def commands() -> list[str]:
    """Lines of the shell blocks of all documents, also inside lists."""
    return [line.strip() for text in TEXTS.values() for block in blocks(text, "bash") for line in block.splitlines()]


def test_one_command_each_starts_the_app_and_the_tests():
    assert "python -m pip install -r requirements.txt && python -m streamlit run app.py" in README.splitlines()
    tests = "python -m pip install -r requirements.txt -r tests/requirements.txt && python -m pytest"
    assert tests in README.splitlines()


def test_readme_is_short():
    assert len(README.split()) <= 800 and len(README.splitlines()) <= 110


@pytest.mark.parametrize("line", sorted({line for line in commands() if line.startswith("python -m transclipped ")}))
def test_commands_parse(line):
    _parser().parse_args(shlex.split(line, comments=True)[3:])


def test_modules_in_commands_exist():
    for path, text in TEXTS.items():
        for module in re.findall(r"python -m (tests[.\w]+)", text):
            assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), (path, module)


def test_links_point_to_files_and_headings():
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


def target_of(node: ast.expr, names: dict[str, Any]) -> Any:
    """What an expression refers to: `tc`, one of its names, a method, or the class of an instance; else None."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := target_of(node.value, names)) is not None:
        return getattr(owner, node.attr) if owner is tc else getattr(owner, node.attr, None)
    target = target_of(node.func, names) if isinstance(node, ast.Call) else None
    if inspect.isfunction(target):
        return vars(sys.modules[target.__module__]).get(target.__annotations__.get("return"))
    return target


@pytest.mark.parametrize(("text", "calls"), [("\n".join(blocks(README, "python")), 4), (NOTEBOOK, 9)])
def test_code_uses_existing_names_and_keywords(text, calls):
    nodes, names = list(ast.walk(ast.parse(text))), {"tc": tc}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = target_of(node.value, names)
    fields = {field.name for field in dataclasses.fields(ClippingConfig)}
    for node in nodes:
        if not isinstance(node, ast.Call) or (target := target_of(node.func, names)) is None:
            continue
        calls -= 1
        parameters = inspect.signature(target).parameters
        for name in {keyword.arg for keyword in node.keywords} - set(parameters):
            assert name in fields if "clipping" in parameters else "options" in parameters and by_path({name: 1}), name
    assert calls <= 0


def test_pages_are_listed_in_the_order_of_the_app():
    assert re.findall(r"^- \*\*(.+?)\*\*:", README, re.M) == [title for _, title, _ in ORDER]


def test_results_match_the_bundled_runs():
    backbones, clippings = ("distilled", "hybrid"), ("none", "clipped")
    names = [f"{backbone}-cifar10-32-{clipping}" for backbone in backbones for clipping in clippings]
    runs = [row(RunDir(ASSETS / "runs" / name)) for name in names]
    table = pd.DataFrame(runs)[["backbone", "clipping", "asymmetric"]].rename(columns={"asymmetric": "mAP@1000"})
    assert markdown(table) in README
    assert f"mAP@1000 {runs[-1]['asymmetric']:.3f}. The first training" in README


def test_the_gain_is_the_sentence_of_the_app():
    assert headline().sentence in " ".join(README.split())


def test_labels_behind_the_backbone_are_named():
    text = "\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown")
    first = README.split("![", 1)[0]  # before the image
    assert "ImageNet" in first and "ImageNet" in text.split("## 1.")[0]


@pytest.mark.parametrize("name", QUALITY)
def test_model_cards_match_the_measurements(name):
    card = " ".join(TEXTS[ASSETS / "models" / f"{name}.md"].split())
    for dataset, values in QUALITY[name].items():
        if isinstance(values, dict):
            assert f"| {dataset} | {values['size']} px | {values['accuracy']:.3f} | {values['map']:.3f} |" in card
    if name != "efficientnet-lite0":
        assert f"at {QUALITY[name]['speed_ratio']:.2f} times the bare CNN's" in card
