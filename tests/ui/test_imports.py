"""Modules are imported by one thread at a time, and none while a page draws."""

import gc
import os
import subprocess
import sys
import threading

import pytest

from transclipped.ui import imports, shell

APP = str(shell.ROOT / "app.py")
WATCHED = ("transclipped", "torch", "torchvision", "timm", "faiss", "pandas", "scipy", "sklearn")  # not leaves of PIL
CIRCLE = {  # two modules that import each other, as torchvision's do
    "ring/__init__.py": "",
    "ring/one.py": "import time\nA = 1\ntime.sleep(0.1)\nfrom ring.two import B\nDONE = True\n",
    "ring/two.py": "import time\nB = 2\ntime.sleep(0.1)\nfrom ring.one import A\nDONE = True\n",
}
PROGRAM = f"""
import sys
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, app_test
class Navigated(PagesManager):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        PagesManager.uses_pages_directory = False
app_test.PagesManager = Navigated
from transclipped.ui import imports
loaded = lambda: {{name for name in sys.modules if name.partition('.')[0] in {WATCHED!r}}}
app = AppTest.from_file({APP!r}, default_timeout=120)
"""


@pytest.fixture
def nothing_done(monkeypatch):
    monkeypatch.setattr(imports, "_done", set())


@pytest.fixture
def ring(tmp_path, monkeypatch, nothing_done):
    """Names of two modules that import each other, and how to forget them."""
    for name, text in CIRCLE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "ring.one", "ring.two"
    for name in [name for name in sys.modules if name.partition(".")[0] == "ring"]:
        del sys.modules[name]


def test_of_two_threads_none_sees_half_a_module(ring, monkeypatch):
    one, two = ring
    monkeypatch.setattr(imports, "FIRST", (one,))
    monkeypatch.setattr(imports, "LIBRARIES", (two,))
    monkeypatch.setattr(imports, "_ours", list)
    half: list[str] = []

    def visitor(act) -> None:
        act()
        half.extend(name for name in ring if name in sys.modules and not hasattr(sys.modules[name], "DONE"))

    threads = [threading.Thread(target=visitor, args=(act,)) for act in (imports.first, imports.everything) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert half == [] and all(name in sys.modules for name in ring)


def test_what_is_done_waits_for_nobody(nothing_done, monkeypatch):
    monkeypatch.setattr(imports, "FIRST", ())
    imports.first()
    with imports._lock:  # somebody imports the rest
        answered = threading.Event()
        threading.Thread(target=lambda: (imports.first(), answered.set()), daemon=True).start()
        assert answered.wait(10)


def test_a_library_that_is_not_there_leaves_the_others(nothing_done, monkeypatch, ring):
    monkeypatch.setattr(imports, "LIBRARIES", ("there is no such module", "ring.one"))
    monkeypatch.setattr(imports, "_ours", list)
    imports.everything()
    assert "ring.one" in sys.modules


def test_what_was_imported_is_not_looked_through_for_garbage(ring, monkeypatch):
    monkeypatch.setattr(imports, "LIBRARIES", ring)
    monkeypatch.setattr(imports, "_ours", list)
    gc.unfreeze()
    imports.everything()
    looked_at = {id(known) for known in gc.get_objects()}
    gc.unfreeze()
    assert not any(id(sys.modules[name].__dict__) in looked_at for name in ring)


def answered(program: str, runs) -> str:
    """What a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], cwd=shell.ROOT, capture_output=True, text=True,
        env={**os.environ, "TRANSCLIPPED_RUNS": str(runs)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_overview_draws_without_importing(tmp_path):
    program = """
imports.first()
before = loaded()
app.run()
assert not app.exception and app.metric
print(sorted(loaded() - before))
"""
    assert answered(program, tmp_path) == "[]"


def test_no_other_page_imports_while_it_draws(tmp_path):
    program = f"""
imports.everything()
before = loaded()
app.run()
for page in {[name for name, _, _ in shell.ORDER[1:]]!r}:
    app.switch_page(f"pages/{{page}}.py").run()
    assert not app.exception, page
print(sorted(loaded() - before))
"""
    assert answered(program, tmp_path) == "[]"
