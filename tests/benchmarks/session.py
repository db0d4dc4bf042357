"""A visitor's session without a browser: the messages that one would exchange with the app over its websocket."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect

KINDS = (
    "button_group",
    "number_input",
    "slider",
    "checkbox",
)  # of changed controls; buttons are not pressed
DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


class Session:
    """A browser's state: the pages, the address, the controls on the screen and their values.

    Attributes:
        exceptions: number of uncaught exceptions shown.
    """

    def __init__(self, socket, query: dict[str, str]) -> None:
        self._socket, self._start = socket, query
        self._query, self._page = dict(query), ""
        self._pages: dict[str, str] = {}
        self._controls: dict[str, tuple[str, object, str]] = {}
        self._set: dict[str, WidgetState] = {}
        self.exceptions = 0

    async def visit(self, page: str) -> None:
        """Open a page, the first one by address and the others by link, and wait until it has run."""
        self._query, self._set = dict(self._start), {}
        self._page = self._pages.get(page, "")
        await self._rerun(page_name="" if self._page else page)

    async def turn(self, choice: random.Random) -> bool:
        """Change a random control and wait for the rerun; False if there is none."""
        live = [identity for identity, (_, control, _) in self._controls.items() if not control.disabled]
        if not live:
            return False
        kind, control, part = self._controls[choice.choice(sorted(live))]
        state, value = _turned(kind, control, self._set.get(control.id), choice)
        self._set[control.id] = state
        if control.query_param_key:
            self._query[control.query_param_key] = value
        await self._rerun(fragment_id=part)
        return True

    async def _rerun(self, **options: str) -> None:
        request = BackMsg()
        client = request.rerun_script
        client.query_string, client.page_script_hash = urlencode(self._query), self._page
        client.widget_states.widgets.extend(state for key, state in self._set.items() if key in self._controls)
        for name, value in options.items():
            setattr(client, name, value)
        if not client.fragment_id:  # the whole page is redrawn
            self._controls.clear()
        await self._socket.send(request.SerializeToString())
        while True:
            message = ForwardMsg.FromString(await self._socket.recv())
            self._apply(message)
            if message.WhichOneof("type") == "script_finished" and message.script_finished in DONE:
                return

    def _apply(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self._page = message.navigation.page_script_hash
            self._pages = {page.url_pathname: page.page_script_hash for page in message.navigation.app_pages}
        elif kind == "page_info_changed":
            self._query = {k: v[0] for k, v in parse_qs(message.page_info_changed.query_string).items()}
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            name = element.WhichOneof("type")
            self.exceptions += name == "exception"
            if name in KINDS:
                control = getattr(element, name)
                self._controls[control.id] = (name, control, message.delta.fragment_id)


def _turned(kind: str, control, now: WidgetState | None, choice: random.Random) -> tuple[WidgetState, str]:
    """Another value of a control, as its state and as text for the address."""
    state = WidgetState(id=control.id)
    if kind == "checkbox":
        state.bool_value = not (now.bool_value if now else control.default)
        return state, str(state.bool_value).lower()
    if kind == "button_group":
        value = choice.choice([option.content for option in control.options])
        state.string_array_value.data.append(value)
        return state, value
    if kind == "number_input":
        value = (now.double_value if now else control.default) + control.step
        state.double_value = min(value, control.max) if control.has_max else value
        return state, f"{state.double_value:g}"
    if control.options:  # of a slider over names
        at = control.options.index(now.string_array_value.data[0]) if now else int(control.default[0])
        state.string_array_value.data.append(control.options[(at + 1) % len(control.options)])
        return state, state.string_array_value.data[0]
    places = [*(now.double_array_value.data if now else control.default)]
    value = places[0] + control.step
    places[0] = value if value <= min([control.max, *places[1:]]) else control.min
    state.double_array_value.data.extend(places)
    return state, f"{places[0]:g}"


@asynccontextmanager
async def opened(address: str, query: dict[str, str]) -> AsyncIterator[Session]:
    """A new session with the app at an address (http://…), before its first page."""
    url = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    async with connect(url, subprotocols=["streamlit"], max_size=None) as socket:
        yield Session(socket, query)
