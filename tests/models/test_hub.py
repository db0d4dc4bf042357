"""Reachability of the hub: one short connection, and no request without need."""

import socket
import threading

import pytest
import timm

from transclipped.config import BackboneConfig
from transclipped.errors import InputError
from transclipped.models import backbone, hub

NAME = "vit_tiny_patch16_224"


@pytest.fixture
def server():
    """URL of a local server that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/path"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_server_is_reachable_only_while_it_listens(server):
    assert hub.reachable(server)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert not hub.reachable(f"https://127.0.0.1:{port}")


def test_no_connection_is_tried_without_a_route(monkeypatch):
    monkeypatch.setattr(hub, "has_route", lambda: False)
    monkeypatch.setattr(socket, "create_connection", None)
    assert not hub.reachable("https://huggingface.co")


def test_slow_name_lookup_is_limited_by_patience(monkeypatch):
    done, calls = threading.Event(), []

    def slow(address, timeout):
        calls.append((address, timeout))
        done.wait(10)
        raise OSError

    monkeypatch.setattr(hub, "has_route", lambda: True)
    monkeypatch.setattr(socket, "create_connection", slow)
    assert not hub.reachable("https://huggingface.co", patience=0.05)
    done.set()
    assert calls == [(("huggingface.co", 443), 0.05)] and hub.PATIENCE < 5


def test_proxy_is_tried_instead_of_the_server(server, monkeypatch):
    monkeypatch.setattr(hub, "has_route", lambda: True)
    proxy = server.removeprefix("https://").removesuffix("/path")
    monkeypatch.setenv("https_proxy", f"http://{proxy}")
    assert hub.reachable("https://no-such-host.invalid")


def test_missing_weights_are_reported_without_the_hubs_client(monkeypatch):
    urls = []
    monkeypatch.setattr(hub, "reachable", lambda url: urls.append(url) or False)
    monkeypatch.setattr(hub, "cached_file", lambda config: None)
    monkeypatch.setattr(timm, "create_model", None)
    with pytest.raises(InputError, match=r"cannot be fetched.*does not answer") as caught:
        backbone.load_backbone(BackboneConfig(name=NAME))
    assert urls == ["https://huggingface.co"] and caught.value.setting == "backbone.name"
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(("online", "cached"), [(True, False), (True, True), (False, True)])
def test_cached_weights_are_used_without_the_server(online, cached, monkeypatch, tmp_path):
    from huggingface_hub import constants

    offline = []

    def created(name, **options):
        offline.append(constants.HF_HUB_OFFLINE)
        raise OSError("seen")

    monkeypatch.setattr(hub, "reachable", lambda url: online)
    monkeypatch.setattr(hub, "cached_file", lambda config: tmp_path if cached else None)
    monkeypatch.setattr(timm, "create_model", created)
    with pytest.raises(InputError, match="seen"):
        backbone.load_backbone(BackboneConfig(name=NAME))
    assert offline == [not online] and not constants.HF_HUB_OFFLINE


def test_no_connection_is_tried_with_the_hub_switched_off(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "reachable", None)
    monkeypatch.setattr(hub, "cached_file", lambda config: None)
    with pytest.raises(InputError, match="cannot be fetched"):
        backbone.check_weights(NAME)
