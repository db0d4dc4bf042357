"""Who may do what: on this machine everything, in an opened app what its owner allows.

The app listens on this machine alone (.streamlit/config.toml), and whoever sits at it is its owner. Started with
`--server.address 0.0.0.0` it is open to the network: visitors read all pages and search with their own images;
starting, stopping, renaming, deleting, uploading and clearing need the owner's token from the terminal, as with
Jupyter. A request that names another host, as after DNS rebinding or through a proxy, is a visitor's everywhere.

    TRANSCLIPPED_OPEN=train    visitors may train, and stop what they started themselves
    TRANSCLIPPED_ROOTS=A:B     folders that visitors may open, beside the bundled files; `;` separates on Windows

`may` answers before a control is drawn, `require` again when it acts.
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

MANAGE, TRAIN = "manage", "train"  # kinds of acts: everything, and what TRANSCLIPPED_OPEN=train allows
OPEN, ROOTS = "TRANSCLIPPED_OPEN", "TRANSCLIPPED_ROOTS"
NEEDS_OWNER = "Only the owner of this app may do that: open it by the link with the token in the server's terminal."
ABOUT = (
    "Only this machine can reach the app. To open it to a class, start it with "
    "`python -m streamlit run app.py --server.address 0.0.0.0`: visitors can then read all pages and search with their "
    "own images. Starting, stopping, renaming, deleting and uploading need the link with the token from the "
    "terminal; with `TRANSCLIPPED_OPEN=train` visitors may train too, on bundled sets and on folders that "
    "`TRANSCLIPPED_ROOTS` names."
)  # Markdown
PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")  # headers that proxies add
SPECIAL = ("/dev", "/proc", "/sys")  # hold no files of people
_TOKEN = secrets.token_urlsafe(32)  # 256 bits, another one for each start of the server
_OWNER, _STARTED, _TYPED = "owner by token", "trainings started", "token typed"  # in the session
_offered: set[Path] = set()
_announcing = Lock()  # taken once, by the session that prints the link


def may(act: str = MANAGE, *, of: str | None = None) -> bool:
    """Whether this visitor may act.

    Args:
        act: `MANAGE`: rename, delete, upload, clear; `TRAIN`: start and stop.
        of: name of the training that is to be stopped or resumed; a visitor's own only.
    """
    if owner():
        return True
    return act == TRAIN and os.environ.get(OPEN) == TRAIN and (of is None or of in started())


def require(act: str = MANAGE, *, of: str | None = None) -> None:
    """Refuse what `may` does not allow.

    Raises:
        InputError: this visitor may not.
    """
    if not may(act, of=of):
        raise InputError(NEEDS_OWNER)


def control(act: str = MANAGE, *, of: str | None = None, disabled: bool = False, help: str | None = None) -> dict:
    """`disabled` and `help` of a control that acts; for a visitor who may not it is disabled and says why."""
    allowed = may(act, of=of)
    return {"disabled": disabled or not allowed, "help": help if allowed else NEEDS_OWNER}


def owner() -> bool:
    """Whether this visitor sits at this machine, or has brought the token."""
    return here() or st.session_state.get(_OWNER) is True


def here() -> bool:
    """Whether the app listens on this machine alone and the browser asked this machine, not another name or a proxy."""
    headers = st.context.headers
    hosts, origins = headers.get_all("Host"), headers.get_all("Origin")
    return (
        _loopback(st.get_option("server.address"))
        and all(_loopback(_hostname(host)) for host in hosts)
        and all(origin.partition("://")[2] in hosts for origin in origins)
        and not any(name in headers for name in PROXIES)
    )


def admit() -> None:
    """Take `?owner=` out of the address and remember the owner; call it before anything is drawn."""
    given = st.query_params.get("owner")
    st.query_params.pop("owner", None)
    if here():
        return
    _announce()
    if given is not None:
        _recognize(given)


def sign_in() -> None:
    """Say what a visitor may do, with a field for the token; nothing for the owner."""
    if owner():
        return
    can = "You can read all pages, search, and train." if may(TRAIN) else "You can read all pages and search."
    with st.popover("Visitor", icon=":material/visibility:", help=can):
        st.caption(f"{can} {NEEDS_OWNER}")
        st.text_input("Token", type="password", key=_TYPED, on_change=_typed)


def readable(path: str | Path) -> Path:
    """A path that a visitor typed, if they may read there: the owner any folder or regular file, others below `roots`.

    Raises:
        InputError: they may not, or it is a device, a pipe, or on another machine.
    """
    text = os.fspath(path)
    if WINDOWS and text.replace("/", "\\").startswith("\\\\"):
        raise InputError(f"{text} is on another machine; give it a drive letter first")
    try:
        typed = Path(text).expanduser()
        real = typed.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, an unknown ~user, a null byte
        raise InputError(f"{text[:200]!r} is not a path on this machine; type that of a folder or file") from error
    if not owner():
        if not any(real.is_relative_to(root) for root in roots()):
            raise InputError(f"{text} is not among the folders that the owner of this app offers; choose a bundled set")
        typed = real
    if _special(real):
        raise InputError(f"{text} is neither a folder nor a regular file; choose another one")
    return typed


def allowed(data: DataConfig) -> DataConfig:
    """A configuration whose paths this visitor may read.

    Raises:
        InputError: one of them is not `readable`.
    """
    paths = {name: getattr(data, name) for name in ("data", "labels", "split")}
    return replace(data, **{name: str(readable(path)) for name, path in paths.items() if path})


def roots() -> set[Path]:
    """Folders that every visitor may open: the bundled files, `TRANSCLIPPED_ROOTS`, and what the owner offered."""
    named = [Path(root).expanduser() for root in os.environ.get(ROOTS, "").split(os.pathsep) if root]
    return {root.resolve() for root in (ASSETS, *named)} | _offered


def offer(path: str | Path) -> None:
    """Let every visitor open a folder or file, until the server ends.

    Raises:
        InputError: this visitor is not the owner.
    """
    require()
    _offered.add(readable(path).resolve())


def started() -> set[str]:
    """Names of the trainings that this visitor started."""
    return st.session_state.get(_STARTED, set())


def remember_started(name: str) -> None:
    """Let this visitor stop the training that they have just started."""
    if not here():  # at this machine anybody may
        st.session_state[_STARTED] = started() | {name}


def _hostname(host: str) -> str | None:
    """What a header names, without its port; None for nonsense."""
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
            "  From another machine, write this machine's name for localhost.\n",
            flush=True,
        )


def _recognize(given: str) -> None:
    if hmac.compare_digest(given.encode(errors="replace"), _TOKEN.encode()):
        st.session_state[_OWNER] = True


def _typed() -> None:
    given, st.session_state[_TYPED] = st.session_state[_TYPED], ""
    _recognize(given)


def _special(path: Path) -> bool:
    if any(path.is_relative_to(folder) for folder in SPECIAL):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:  # whoever reads it says why it cannot be
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
