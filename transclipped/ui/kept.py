"""Figures that were just built need not be built again: plotly checks every value, 5 to 20 ms a figure.

    @kept
    def class_map(cells: np.ndarray, names: list[str], *, key: str) -> go.Figure: ...

`st.cache_data` would copy a figure each time, which takes as long, and hashes lists element by element.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import plotly.graph_objects as go

MOST = 32  # figures remembered of each kind
Given = ParamSpec("Given")


def kept(build: Callable[Given, go.Figure]) -> Callable[Given, go.Figure]:
    """`build`, whose last figures are remembered by the content of its arguments.

    Figures are shared by all visitors, so nobody may change one that was built elsewhere.
    """
    known: OrderedDict[bytes, go.Figure] = OrderedDict()
    lock = threading.Lock()

    @wraps(build)
    def remembered(*args: Given.args, **kwargs: Given.kwargs) -> go.Figure:
        name = hashlib.sha256(pickle.dumps((args, kwargs))).digest()  # is only compared, never loaded
        with lock:
            if name in known:
                known.move_to_end(name)
                return known[name]
        figure = build(*args, **kwargs)
        with lock:
            known[name] = figure
            while len(known) > MOST:
                known.popitem(last=False)
        return figure

    return remembered
