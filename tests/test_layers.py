"""Imports point one way: a module imports from lower layers and from its own folder."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "transclipped"
LAYERS = (  # upper layers import from lower ones
    {"__main__"},
    {"ui", "cli"},
    {"experiments"},
    {"analysis"},
    {"search", "training"},
    {"runs"},
    {"plugins"},
    {"features", "losses"},
    {"datasets", "models", "retrieval", "flags"},
    {"clipping"},
    {"config", "utils"},
    {"registry"},
    {"errors"},
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}


def imported(tree: ast.AST, names: set[str]) -> set[str]:
    """Top-level folders and modules of the package that a module imports, also inside functions."""
    paths = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            paths += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            paths += [alias.name for alias in node.names]
    return {path.split(".")[1] for path in paths if path.startswith("transclipped.")} & names


def upward(package: Path) -> list[str]:
    """Imports that violate the layers."""
    result = []
    for file in sorted(package.rglob("*.py")):
        own = file.relative_to(package).parts[0].removesuffix(".py")
        if own in LAYER:
            others = imported(ast.parse(file.read_text(encoding="utf-8")), set(LAYER)) - {own}
            result += [f"{file.relative_to(package)} imports {n}" for n in sorted(others) if LAYER[n] <= LAYER[own]]
    return result


def test_no_import_points_upward():
    assert upward(PACKAGE) == []


def test_every_module_has_a_layer():
    below = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert below - {"__init__"} - set(LAYER) == set()


def test_upward_imports_are_detected(tmp_path):
    for folder, line in (
        ("utils", "def f():\n    from transclipped.runs import run\n"),
        ("runs", "import transclipped.training.train\n"),
        ("models", "from transclipped import datasets\n"),
        ("analysis", "from transclipped.runs import run\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.py").write_text(line)
    assert upward(tmp_path) == ["models/x.py imports datasets", "runs/x.py imports training", "utils/x.py imports runs"]
