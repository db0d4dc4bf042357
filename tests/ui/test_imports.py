"""One thread imports at a time, and no page imports while it draws."""

import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from transclipped.ui import imports, shell

APP = str(shell.ROOT / "app.py")
PACKAGES = ("transclipped", "torch", "torchvision", "timm", "faiss", "pandas", "scipy", "sklearn")
CIRCLE = {  # two modules that import each other, as in torchvision
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
loaded = lambda: {{name for name in sys.modules if name.partition('.')[0] in {PACKAGES!r}}}
app = AppTest.from_file({APP!r}, default_timeout=240)
"""


@pytest.fixture
def no_imports_yet(monkeypatch):
    monkeypatch.setattr(imports, "_done", set())


@pytest.fixture
def ring(tmp_path, monkeypatch, no_imports_yet):
    """Names of two modules that import each other, unloaded afterwards."""
    for name, text in CIRCLE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "ring.one", "ring.two"
    for name in [name for name in sys.modules if name.partition(".")[0] == "ring"]:
        del sys.modules[name]


def test_no_thread_sees_a_half_imported_module(ring, monkeypatch):
    one, two = ring
    monkeypatch.setattr(imports, "FIRST", (one,))
    monkeypatch.setattr(imports, "LIBRARIES", two)
    monkeypatch.setattr(imports, "_ours", list)

    def half_imported(act) -> list[str]:
        act()
        return [name for name in ring if name in sys.modules and not hasattr(sys.modules[name], "DONE")]

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(half_imported, (imports.first, imports.everything) * 4, timeout=120))
    assert all(name in sys.modules for name in ring)


def test_finished_imports_do_not_wait_for_others(no_imports_yet, monkeypatch):
    monkeypatch.setattr(imports, "FIRST", ())
    imports.first()
    with imports._lock:  # another thread imports the rest
        returned = threading.Event()
        threading.Thread(target=lambda: (imports.first(), returned.set()), daemon=True).start()
        assert returned.wait(10)


def test_a_missing_library_does_not_stop_the_others(no_imports_yet, monkeypatch, ring):
    monkeypatch.setattr(imports, "LIBRARIES", "no_such_module ring.one")
    monkeypatch.setattr(imports, "_ours", list)
    imports.everything()
    assert "ring.one" in sys.modules


def test_imported_modules_are_exempt_from_garbage_collection(ring, monkeypatch):
    monkeypatch.setattr(imports, "LIBRARIES", " ".join(ring))
    monkeypatch.setattr(imports, "_ours", list)
    gc.unfreeze()
    imports.everything()
    scanned = {id(item) for item in gc.get_objects()}
    gc.unfreeze()
    assert not any(id(sys.modules[name].__dict__) in scanned for name in ring)


def output(program: str, runs) -> str:
    """Output of a new process."""
    command, env = [sys.executable, "-c", PROGRAM + program], {**os.environ, "TRANSCLIPPED_RUNS": str(runs)}
    done = subprocess.run(command, cwd=shell.ROOT, capture_output=True, text=True, env=env)
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
    assert output(program, tmp_path) == "[]"


def test_the_other_pages_draw_without_importing(tmp_path):
    program = f"""
imports.everything()
before = loaded()
app.run()
for page in {[name for name, _, _ in shell.ORDER[1:]]!r}:
    app.switch_page(f"pages/{{page}}.py").run()
    assert not app.exception, page
print(sorted(loaded() - before))
"""
    assert output(program, tmp_path) == "[]"
