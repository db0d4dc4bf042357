"""Options that several commands share."""

from __future__ import annotations

import argparse


def add_shared(parser: argparse.ArgumentParser, *, device: bool = False, plugin: bool = False) -> None:
    """--json and, for commands that run networks or a run's own code, --device and --plugin."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    if device:
        parser.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    if plugin:
        parser.add_argument("--plugin", help="Python file that registers what the run was trained with")


def device_of(arguments: argparse.Namespace) -> str:
    """The device that was asked for, or the fastest there is."""
    from transclipped.utils.machine import best_device

    return arguments.device or best_device()
