"""Imports point one way: a module imports from layers below its own, and from its own folder."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "transclipped"
LAYERS = (  # the upper ones import from the lower ones
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
    """Folders and modules right below the package that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "transclipped":
            found |= {alias.name for alias in node.names} & names
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("transclipped."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("transclipped.")}
    return found


def upward(package: Path) -> list[str]:
    """Imports against the layers."""
    names, against = set(LAYER), []
    for file in sorted(package.rglob("*.py")):
        own = file.relative_to(package).parts[0].removesuffix(".py")
        for other in imported(ast.parse(file.read_text(encoding="utf-8")), names) - {own} if own in names else ():
            if other not in LAYER or LAYER[other] <= LAYER[own]:
                against.append(f"{file.relative_to(package)} imports {other}")
    return against


def test_no_import_points_upward():
    assert upward(PACKAGE) == []


def test_every_module_has_a_layer():
    below = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert below - {"__init__"} - set(LAYER) == set()


def test_the_walk_sees_an_upward_import(tmp_path):
    for folder, line in (
        ("utils", "def f():\n    from transclipped.runs import run\n"),
        ("runs", "import transclipped.training.train\n"),
        ("models", "from transclipped import datasets\n"),
        ("analysis", "from transclipped.runs import run\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.py").write_text(line)
    assert upward(tmp_path) == ["models/x.py imports datasets", "runs/x.py imports training", "utils/x.py imports runs"]
