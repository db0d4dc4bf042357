"""Python, script and style sheet of a component lie side by side, and every style sheet is used."""

import re
from pathlib import Path

import streamlit as st

import transclipped
from transclipped.ui import shell
from transclipped.ui.anatomy import html
from transclipped.ui.components.component import component

PACKAGE = Path(transclipped.__file__).parent
FOLDER = PACKAGE / "ui" / "components"
MODULES = sorted(FOLDER.glob("[!_c]*.py"))  # all but __init__ and component
DECLARED = re.compile(r"^(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)


def declared(monkeypatch) -> dict[str, dict[str, str]]:
    """What Streamlit is given for each component, by the stem of its module."""
    given = {}
    monkeypatch.setattr(st.components.v2, "component", lambda name, **parts: given.setdefault(name, parts))
    for module in MODULES:
        (call,) = re.findall(r"^_component = component\((.*)\)$", module.read_text(encoding="utf-8"), re.MULTILINE)
        component(*re.findall(r'"(.*?)"', call))
    return {name.removeprefix("transclipped_"): parts for name, parts in given.items()}


def test_each_component_has_its_own_script_and_style(monkeypatch):
    known = declared(monkeypatch)
    assert known.keys() == {path.stem for path in MODULES} == {path.stem for path in FOLDER.glob("*.css")}
    for name, parts in known.items():
        assert parts["css"] == (FOLDER / f"{name}.css").read_text(encoding="utf-8")
        assert f'class="{name}"' in parts["html"] and f'parentElement.querySelector(".{name}")' in parts["js"]
        names = DECLARED.findall(parts["js"])
        assert len(names) == len(set(names)) and parts["js"].count("export default") == 1, name
    for script in FOLDER.glob("*.js"):
        assert any(script.read_text(encoding="utf-8") in parts["js"] for parts in known.values()), script


def test_each_style_sheet_lies_beside_its_module():
    for path in PACKAGE.rglob("*.css"):
        assert path.with_suffix(".py").exists() or path.name == "lesson.css", path


def test_a_sheet_is_an_element_of_its_file():
    css = (PACKAGE / "ui/anatomy/html.css").read_text(encoding="utf-8")
    assert f"<style>{css}</style>" == html.CSS and ".an-patches" in css
    assert "st-key-aside-" in shell.LESSON_STYLE and "st-key-aside-" not in shell.STYLE
