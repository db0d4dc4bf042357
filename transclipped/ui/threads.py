"""How visitors' threads share the machine: each visitor's page runs in its own thread.

One Python thread runs at a time. A file access lets the others run, and the thread then waits up to 5 ms (by default)
for each one that computes, so a page that opens a hundred files would take seconds while two others draw figures.
"""

from __future__ import annotations

import sys

from transclipped.utils.machine import limit_memory_pools, wait_passively

TURN = 0.0005  # seconds that a thread runs while another waits


def share() -> None:
    """Make threads switch often, sleep while waiting and reuse freed memory; before torch or faiss is loaded."""
    sys.setswitchinterval(TURN)
    wait_passively()
    limit_memory_pools()
