"""Permissions: a user of this machine may do everything; a visitor over the network, what the owner allows.

By default the app listens on this machine only (.streamlit/config.toml), and its user is the owner. With
`--server.address 0.0.0.0` the network can reach it: visitors read all pages and search with their own images;
starting, stopping, renaming, deleting, uploading and clearing need the owner's token from the terminal, as in
Jupyter. A request for another host name, as after DNS rebinding or through a proxy, always counts as a visitor's.

    TRANSCLIPPED_OPEN=train    visitors may train, and stop the runs they started
    TRANSCLIPPED_ROOTS=A:B     folders that visitors may open besides the bundled files; `;` separates on Windows

`may` is checked before a control is drawn, `require` when it acts.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import stat
from dataclasses import replace
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import streamlit as st

from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.utils.files import ASSETS
from transclipped.utils.machine import WINDOWS

MANAGE, TRAIN = "manage", "train"  # kinds of acts: all, and those that TRANSCLIPPED_OPEN=train allows
OPEN, ROOTS = "TRANSCLIPPED_OPEN", "TRANSCLIPPED_ROOTS"
NEEDS_OWNER = "Only the owner of this app may do that: open it with the token link from the server's terminal."
ABOUT = (
    "Only this machine can reach the app. To open it to a class, start it with "
    "`python -m streamlit run app.py --server.address 0.0.0.0`: visitors can then read all pages and search with their "
    "own images. Starting, stopping, renaming, deleting and uploading need the token link from the terminal. With "
    "`TRANSCLIPPED_OPEN=train` visitors may also train, on bundled data sets and on the folders in "
    "`TRANSCLIPPED_ROOTS`."
)  # Markdown
PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")  # headers that proxies add
SPECIAL = ("/dev", "/proc", "/sys")  # hold no user files
_TOKEN = secrets.token_urlsafe(32)  # 256 bits, new at each start of the server
_OWNER, _STARTED, _TYPED = "owner by token", "trainings started", "token typed"  # in the session
_offered: set[Path] = set()
_announcing = Lock()  # taken once, by the session that prints the link


def may(act: str = MANAGE, *, of: str | None = None) -> bool:
    """Whether this visitor may act.

    Args:
        act: `MANAGE`: rename, delete, upload, clear; `TRAIN`: start and stop.
        of: name of the training to stop or resume, which this visitor must have started.
    """
    return owner() or (act == TRAIN and os.environ.get(OPEN) == TRAIN and (of is None or of in started()))


def require(act: str = MANAGE, *, of: str | None = None) -> None:
    """Raise InputError unless this visitor `may` act."""
    if not may(act, of=of):
        raise InputError(NEEDS_OWNER)


def control(act: str = MANAGE, *, of: str | None = None, disabled: bool = False, help: str | None = None) -> dict:
    """`disabled` and `help` of a control; where the visitor may not act, it is disabled and its help says why."""
    allowed = may(act, of=of)
    return {"disabled": disabled or not allowed, "help": help if allowed else NEEDS_OWNER}


def owner() -> bool:
    """Whether this visitor uses this machine or has entered the token."""
    return here() or st.session_state.get(_OWNER) is True


def here() -> bool:
    """Whether the app listens on this machine only and the browser contacted it directly by a local name."""
    headers = st.context.headers
    hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
    return (
        _loopback(st.get_option("server.address"))
        and all(_loopback(_hostname(host)) for host in hosts)
        and all(origin.partition("://")[2] in hosts for origin in origins)
        and not any(name in headers for name in PROXIES)
    )


def admit() -> None:
    """Remove `?owner=` from the address and remember the owner; call it before anything is drawn."""
    token = st.query_params.get("owner")
    st.query_params.pop("owner", None)
    if here():
        return
    _announce()
    if token is not None:
        _recognize(token)


def sign_in() -> None:
    """Show a visitor what they may do and a field for the token; show the owner nothing."""
    if owner():
        return
    can = "You can read all pages, search, and train." if may(TRAIN) else "You can read all pages and search."
    with st.popover("Visitor", icon=":material/visibility:", help=can):
        st.caption(f"{can} {NEEDS_OWNER}")
        st.text_input("Token", type="password", key=_TYPED, on_change=_typed)


def readable(path: str | Path) -> Path:
    """A typed path that this visitor may read: the owner any folder or regular file, others those below `roots`.

    Raises:
        InputError: the visitor may not read it, or it is a device, a pipe, or on another machine.
    """
    text = os.fspath(path)
    if WINDOWS and text.replace("/", "\\").startswith("\\\\"):
        raise InputError(f"{text} is on another machine; map it to a drive letter first")
    try:
        typed = Path(text).expanduser()
        real = typed.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, an unknown ~user, a null byte
        raise InputError(f"{text[:200]!r} is not a valid path; enter a folder or file") from error
    if not owner():
        if not any(real.is_relative_to(root) for root in roots()):
            raise InputError(f"{text} is not a folder that the owner of this app offers; choose a bundled data set")
        typed = real
    if _special(real):
        raise InputError(f"{text} is neither a folder nor a regular file; choose another path")
    return typed


def allowed(data: DataConfig) -> DataConfig:
    """The configuration, after checking that each of its paths is `readable`."""
    paths = {name: getattr(data, name) for name in ("data", "labels", "split")}
    return replace(data, **{name: str(readable(path)) for name, path in paths.items() if path})


def roots() -> set[Path]:
    """Folders that every visitor may open: the bundled files, `TRANSCLIPPED_ROOTS`, and those the owner offered."""
    named = [Path(root).expanduser() for root in os.environ.get(ROOTS, "").split(os.pathsep) if root]
    return {root.resolve() for root in (ASSETS, *named)} | _offered


def offer(path: str | Path) -> None:
    """Let every visitor open a folder or file until the server stops; only the owner may call this."""
    require()
    _offered.add(readable(path).resolve())


def started() -> set[str]:
    """Names of the trainings that this visitor started."""
    return st.session_state.get(_STARTED, set())


def remember_started(name: str) -> None:
    """Allow this visitor to stop the training they have just started."""
    if not here():  # users of this machine may anyway
        st.session_state[_STARTED] = started() | {name}


def _hostname(host: str) -> str | None:
    """Host name in a header, without its port; None if malformed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _loopback(name: str | None) -> bool:
    if name is None:
        return False
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _announce() -> None:
    """Print the owner's link in the terminal, once."""
    if _announcing.acquire(blocking=False):
        scheme = "https" if st.get_option("server.sslCertFile") else "http"
        base = st.get_option("server.baseUrlPath").strip("/")
        address = f"{scheme}://localhost:{st.get_option('server.port')}/{base + '/' if base else ''}"
        print(
            f"\n  The owner's link: {address}?owner={_TOKEN}\n"
            "  From another machine, replace localhost by this machine's name.\n",
            flush=True,
        )


def _recognize(token: str) -> None:
    if hmac.compare_digest(token.encode(errors="replace"), _TOKEN.encode()):
        st.session_state[_OWNER] = True


def _typed() -> None:
    token, st.session_state[_TYPED] = st.session_state[_TYPED], ""
    _recognize(token)


def _special(path: Path) -> bool:
    if any(path.is_relative_to(folder) for folder in SPECIAL):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:  # the code that reads it reports why
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
