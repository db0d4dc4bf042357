"""How the threads of visitors share the machine: each visitor's page runs in a thread of its own.

One of Python's threads runs at a time. One that looks at a file lets the others run meanwhile, and by default it waits
5 ms for each that computes before it may continue, so a page that opens a hundred files would take seconds while two
others draw their figures.
"""

from __future__ import annotations

import sys

from transclipped.utils.machine import share_freed_memory, wait_passively

TURN = 0.0005  # seconds that a thread runs while another waits


def share() -> None:
    """Let threads take short turns, wait asleep and reuse each other's memory; before torch or faiss is loaded."""
    sys.setswitchinterval(TURN)
    wait_passively()
    share_freed_memory()
