"""A computation in a thread, which pages follow until it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from transclipped.errors import InputError
from transclipped.utils.progress import Progress, watch


@dataclass
class Job:
    """A computation.

    Attributes:
        name: stands before unexpected errors.
        done, total: steps. stage: the step that is being computed.
        images: progress of the pass over images that is on; None between two.
        waiting: for its turn. error: why it failed; "" unless it did.
        result: when it is finished. ended: with a result or an error, which are set before.
    """

    name: str
    done: int = 0
    total: int = 1
    stage: str = ""
    images: Progress | None = None
    waiting: bool = True
    error: str = ""
    result: Any = None
    ended: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return not self.ended

    def see(self, images: Progress) -> None:
        self.images = images if images.done < images.total else None

    def start(self, work: Callable[[Job], Any], *, turn: threading.Lock) -> Job:
        """Begin, as soon as no other job has the turn; `work` gets the job and gives its result."""
        self.thread = threading.Thread(target=self._run, args=(work, turn), name=self.name, daemon=True)
        self.thread.start()
        return self

    def _run(self, work: Callable[[Job], Any], turn: threading.Lock) -> None:
        try:
            with turn, watch(self.see):
                self.waiting = False
                self.result = work(self)
        except InputError as error:
            self.error = str(error) or self.name
        except Exception as error:
            self.error = f"{self.name}: {type(error).__name__}: {error}"
        finally:
            self.ended = True
