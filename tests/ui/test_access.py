"""Who is the owner, what visitors may do, and which paths they may read."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Lock

import pytest
from streamlit.testing.v1 import AppTest

from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.ui import access
from transclipped.utils.files import ASSETS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "::1", "127.8.8.8"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Host": "localhost:8501"}, {"Host": "127.0.0.1:8501", "Origin": "http://127.0.0.1:8501"},
     {"Host": "[::1]:8501", "Origin": "http://[::1]:8501"}, {"Host": "LOCALHOST:9", "Origin": "http://LOCALHOST:9"}],
)  # rows of a table  # fmt: skip
def test_a_user_of_this_machine_is_the_owner(listening, address, headers):
    listening(address, **headers)
    assert access.owner() and access.may() and access.may(access.TRAIN, of="any")
    access.require()
    assert access.control(help="h", disabled=False) == {"disabled": False, "help": "h"}


@pytest.mark.parametrize(
    ("address", "headers"),
    [("0.0.0.0", {"Host": "localhost:8501"}), (None, {"Host": "localhost:8501"}), ("", {}), ("::", {}),
     ("192.0.2.7", {"Host": "localhost:8501"}), ("teacher.example", {}), ("localhost.example", {}),
     ("localhost", {"Host": "evil.example:8501", "Origin": "http://evil.example:8501"}),  # DNS rebinding
     ("localhost", {"Host": "localhost:8501", "Origin": "http://evil.example"}),
     ("localhost", {"Host": "localhost:8501", "Origin": "http://localhost:3000"}),  # another program's page
     ("localhost", {"Host": "localhost:8501", "Origin": "null"}),
     ("localhost", {"Host": "localhost.evil.example"}), ("localhost", {"Host": "127.0.0.1.evil.example"}),
     ("localhost", {"Host": "localhost@evil.example"}), ("localhost", {"Host": "["}), ("localhost", {"Host": ""}),
     ("localhost", {"Host": "localhost:8501", "X_Forwarded_For": "203.0.113.9"}),
     ("localhost", {"Host": "localhost:8501", "Forwarded": "for=203.0.113.9"})],
)  # rows of a table  # fmt: skip
def test_any_other_request_comes_from_a_visitor(listening, address, headers):
    listening(address, **headers)
    assert not access.owner() and not access.may() and not access.may(access.TRAIN)
    with pytest.raises(InputError, match="owner"):
        access.require()
    assert access.control(help="h") == {"disabled": True, "help": access.NEEDS_OWNER}


def test_visitors_allowed_to_train_may_stop_only_their_own_runs(opened_up, monkeypatch):
    monkeypatch.setenv(access.OPEN, "train")
    assert access.may(access.TRAIN) and not access.may() and not access.may(access.TRAIN, of="other")
    monkeypatch.setattr(access, "started", lambda: {"mine"})
    assert access.may(access.TRAIN, of="mine") and not access.may(of="mine")


def script() -> None:
    import streamlit as st

    from transclipped.ui import access

    access.admit()
    st.text(f"{access.owner()} {sorted(access.started())}")
    access.sign_in()
    if st.button("train"):
        access.remember_started("mine")


def test_the_token_grants_ownership_for_one_session_and_leaves_the_address(opened_up):
    app = AppTest.from_function(script)
    app.query_params["owner"] = access._TOKEN
    app.run()
    assert app.text[0].value == "True []" and "owner" not in app.query_params and not app.text_input
    assert app.run().text[0].value == "True []"
    assert AppTest.from_function(script).run().text[0].value == "False []"


@pytest.mark.parametrize("wrong", ["", "x", access._TOKEN[:-1], access._TOKEN + "x", "ü" * 43])
def test_a_wrong_token_grants_nothing(opened_up, wrong):
    app = AppTest.from_function(script)
    app.query_params["owner"] = wrong
    app.run()
    assert app.text[0].value == "False []" and "owner" not in app.query_params
    app.text_input[0].set_value(wrong).run()
    assert not app.exception and app.text[0].value == "False []" and app.text_input[0].value == ""
    app.text_input[0].set_value(access._TOKEN).run()
    assert app.text[0].value == "True []" and not app.text_input


def test_a_session_remembers_the_runs_it_started(opened_up):
    app = AppTest.from_function(script).run()
    app.button[0].click().run()
    assert app.run().text[0].value == "False ['mine']"
    assert AppTest.from_function(script).run().text[0].value == "False []"


def test_the_link_is_printed_once_and_only_if_the_network_has_access(listening, capsys, monkeypatch):
    monkeypatch.setattr(access, "_announcing", Lock())
    listening("localhost", Host="localhost:8501")
    app = AppTest.from_function(script)
    app.query_params["owner"] = "x"
    assert "owner" not in app.run().query_params
    assert access._TOKEN not in capsys.readouterr().out
    listening("0.0.0.0", Host="192.0.2.7:8501")
    for _ in range(3):
        AppTest.from_function(script).run()
    assert capsys.readouterr().out.count(f"/?owner={access._TOKEN}\n") == 1
    assert len(access._TOKEN) >= 40


@pytest.fixture
def tree(tmp_path) -> Path:
    (tmp_path / "root" / "in").mkdir(parents=True)
    (tmp_path / "rooted").mkdir()
    for name in ("root/in/labels.csv", "outside.csv", "rooted/x.csv"):
        (tmp_path / name).write_text("id,label\n")
    (tmp_path / "root" / "leaves").symlink_to(tmp_path / "outside.csv")
    (tmp_path / "root" / "stays").symlink_to(tmp_path / "root" / "in")
    (tmp_path / "enters").symlink_to(tmp_path / "root" / "in")
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root" / "loop")
    return tmp_path


def test_a_visitor_reads_below_the_roots_only(opened_up, tree, monkeypatch):
    monkeypatch.setenv(access.ROOTS, os.pathsep.join([str(tree / "root"), str(tree / "none")]))
    for name in ("root", "root/in", "root/in/labels.csv", "root/stays/labels.csv", "enters", "root/missing"):
        assert access.readable(tree / name) == (tree / name).resolve()
    assert access.readable(ASSETS / "cifar10") == ASSETS / "cifar10"
    outside = (
        "",
        "/",
        "~",
        "~root",
        "~no-such-user",
        "\0",
        "x" * 5000,
        tree,
        tree / "outside.csv",
        tree / "root/../outside.csv",
        tree / "root/leaves",
        tree / "root/loop",
        tree / "rooted/x.csv",
        tree / "missing",
        ASSETS.parent,
        ASSETS / ".." / "app.py",
        "/proc/self/environ",
    )
    for path in outside:
        with pytest.raises(InputError):
            access.readable(path)


def test_errors_do_not_reveal_what_exists_outside(opened_up, tree):
    messages = []
    for name in ("outside.csv", "missing.csv", "rooted"):
        with pytest.raises(InputError) as caught:
            access.readable(tree / name)
        messages.append(str(caught.value).replace(name, ""))
    assert len(set(messages)) == 1


def test_visitors_may_read_what_the_owner_offers(listening, tree):
    listening("0.0.0.0", Host="192.0.2.7")
    with pytest.raises(InputError):
        access.offer(tree / "root")
    listening("localhost", Host="localhost")
    access.offer(tree / "enters")
    listening("0.0.0.0", Host="192.0.2.7")
    assert access.readable(tree / "root/in/labels.csv").name == "labels.csv"
    with pytest.raises(InputError):
        access.readable(tree / "rooted")


def test_the_owner_reads_anything_but_devices_and_pipes(listening, tree):
    listening("localhost", Host="localhost")
    os.mkfifo(tree / "pipe")
    (tree / "link").symlink_to("/proc/self/environ")
    for path in (tree, tree / "outside.csv", tree / "root/leaves", tree / "missing", "/", "relative"):
        assert access.readable(path) == Path(path)
    assert access.readable("~/x") == Path.home() / "x"
    special = ("/proc/self/environ", "/proc", "/dev/null", "/dev/stdin", "/sys/kernel", tree / "pipe", tree / "link")
    for path in special:
        with pytest.raises(InputError, match="neither a folder nor a regular file"):
            access.readable(path)


@pytest.mark.parametrize(
    "path", [r"\\host\share\x", "//host/share", r"\/host\share", r"\\?\UNC\host\share", r"\\.\pipe\x"]
)
def test_windows_contacts_no_other_machine(listening, monkeypatch, path):
    listening("localhost")
    monkeypatch.setattr(access, "WINDOWS", True)
    with pytest.raises(InputError, match="another machine"):
        access.readable(path)


def test_every_path_of_a_configuration_is_checked(opened_up, tree, monkeypatch):
    monkeypatch.setenv(access.ROOTS, str(tree / "root"))
    good = {"data": tree / "enters", "labels": tree / "root/in/labels.csv", "split": tree / "root/in/labels.csv"}
    config = DataConfig(dataset="folder", **{name: str(path) for name, path in good.items()})
    assert access.allowed(config).data == str((tree / "root/in").resolve())
    assert access.allowed(DataConfig()) == DataConfig()
    for name in good:
        with pytest.raises(InputError):
            access.allowed(DataConfig(**{**vars(config), name: str(tree / "outside.csv")}))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on all of 127.0.0.0/8")
@pytest.mark.parametrize("opened", [False, True])
def test_a_headless_start_listens_as_configured_and_contacts_no_other_host(opened, tmp_path):
    """A fake `requests` reports its import, which Streamlit uses to find its address through another host."""
    (tmp_path / "requests.py").write_text("print('IMPORTED REQUESTS')\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ["--server.headless", "true", "--server.port", str(port), *["--server.address", "0.0.0.0"] * opened]
    log = tmp_path / "log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", *flags]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TRANSCLIPPED_RUNS": str(tmp_path / "runs")}
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=environment)
        try:
            deadline = time.monotonic() + 100
            while not _connects("127.0.0.1", port) or "URL" not in log.read_text():
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            assert _connects("127.0.0.2", port) == opened
        finally:
            process.terminate()
            process.wait(20)
    assert f"http://localhost:{port}" in log.read_text()
    assert "IMPORTED" not in log.read_text() and "External" not in log.read_text()


def _connects(host: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0
