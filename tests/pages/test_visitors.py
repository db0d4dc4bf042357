"""Every page as seen by a visitor over the network: all can be read; actions are disabled and refuse."""

import re

import pytest

from tests.pages.conftest import PAGES, opened, unfinish, words
from transclipped.runs.run import RunDir
from transclipped.training import queue
from transclipped.ui import access
from transclipped.ui.train import jobs

ACTING = {"train": {"start"}, "clipping": {"sweep button"}, "embeddings": {"compute"}, "datasets": {"clear now"}}
ACTING |= {"keep": {"rename", "delete", "take"}, "stopped": {"resume"}, "waiting": {"cancel"}, "running": {"stop"}}
KEYS = {key for keys in ACTING.values() for key in keys} | {"imported use", "keep button", "end", "open linked"}


def acting(app) -> dict[str, object]:
    """Buttons with an action, by key; each queued run has a `cancel`."""
    return {b.key.split(" of ")[0]: b for b in app.button if b.key in KEYS or re.match("cancel", b.key or "")}


def press(app, key: str) -> None:
    """Press a disabled button, as a manipulated browser can."""
    app.button(key=key).proto.disabled = False
    app.button(key=key).click().run()
    assert not app.exception


pytestmark = pytest.mark.usefixtures("no_worker")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_can_be_read_and_its_actions_are_disabled(finished, opened_up, page):
    app = opened(page)
    assert not app.error, [e.value for e in app.error]
    buttons = acting(app)
    assert all(button.disabled and "owner" in button.help for button in buttons.values()), buttons
    assert ACTING.get(page, set()) - {"compute", "sweep button"} <= buttons.keys()
    assert "Token" in [box.label for box in app.text_input]


@pytest.mark.parametrize("page", PAGES)
def test_the_owner_may_use_them(finished, listening, page):
    listening("0.0.0.0", Host="192.0.2.7:8501")
    app = opened(page, owner=access._TOKEN)
    assert all("owner of this app" not in (button.help or "") for button in acting(app).values())
    if page == "train":
        assert not acting(app)["start"].disabled


@pytest.mark.parametrize("state", ["keep", "stopped", "waiting", "running", "sweep", "umap"])
def test_actions_on_runs_are_disabled(finished, opened_up, monkeypatch, state):
    query = {"keep": {"part": "keep"}, "sweep": {"look": "sweep"}}.get(state, {})
    page = {"sweep": "clipping", "umap": "embeddings"}.get(state, "train")
    if state == "stopped":
        unfinish(finished, state="stopped")
    if state == "waiting":
        queue.enqueue(finished.parent, "other", [])
        query = {"watch": "other"}
    if state == "running":
        monkeypatch.setattr(jobs, "busy", lambda: RunDir(finished))
        monkeypatch.setattr(RunDir, "status", lambda self: {"state": "running"})
        monkeypatch.setattr(jobs, "live", lambda name: True)
    app = opened(page, **query)
    buttons = acting(app)
    expected = {"sweep": {"sweep button"}, "umap": {"compute"}}.get(state) or ACTING[state]
    assert expected <= buttons.keys()
    assert all(buttons[key].disabled for key in expected)
    if state == "keep":
        assert app.file_uploader[0].disabled


def test_pressing_a_disabled_button_is_refused(finished, opened_up):
    app = opened("train")
    press(app, "start")
    assert "Only the owner" in words(app) and not queue.waiting(finished.parent)


def test_a_link_with_a_folder_opens_nothing_for_a_visitor(finished, opened_up):
    app = opened("retrieval", collection="/etc")
    assert "collection" not in app.query_params and app.button(key="open linked").disabled
    press(app, "open linked")
    assert "collection" not in app.query_params and not app.error


@pytest.mark.parametrize("labels", ["/etc/passwd", "/proc/self/environ"])
@pytest.mark.parametrize("who", ["owner", "visitor"])
def test_a_link_with_labels_reveals_nothing_of_their_file(finished, listening, tmp_path, monkeypatch, labels, who):
    from PIL import Image

    for number in range(2):
        Image.new("RGB", (40, 40)).save(tmp_path / f"{number}.png")
    listening(*["localhost" if who == "owner" else "0.0.0.0"], Host="localhost:8501")
    monkeypatch.setenv("DEMO_SECRET", "hunter2")
    text = words(opened("datasets", set="folder", folder=str(tmp_path), labels=labels))
    assert "root:" not in text and "hunter2" not in text and "PATH=" not in text


def test_a_link_to_watch_a_run_reads_no_log_elsewhere(finished, listening, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "log.txt").write_text("transclipped: hunter2\n")
    (tmp_path / "log.txt").write_text("transclipped: hunter2\n")
    for name in ("../elsewhere", str(tmp_path / "elsewhere"), "..", "x/.."):
        assert "hunter2" not in words(opened("train", watch=name))
