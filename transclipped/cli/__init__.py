"""The same work without a browser: `python -m transclipped <command> --help`.

Results go to standard output (with --json, JSON alone); progress and messages to standard error.
Exit status: 0 done, 2 bad input (one readable line), 130 interrupted with the state saved.

A command is a module of this folder. It is imported when its name is on the command line, so that each command, and
the help of all, costs what it needs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection
from importlib import import_module

from transclipped.errors import InputError
from transclipped.utils.output import escape_in_output

INTERRUPTED = 130
COMMANDS = {  # name, which is its module's too, and what it does
    "train": "Train a run, index its database and measure retrieval.",
    "evaluate": "Measure the retrieval of a trained run.",
    "search": "Find the images of a database most similar to one, or to several at once.",
    "encode": "Turn a folder of images into a searchable collection; again, only what is new or changed.",
    "datasets": "List, check and download data sets; write the rows of a protocol; show or clear the cache.",
    "export": "Write codes, embeddings, index or encoder of a run for other programs.",
    "backbones": "List backbones: what they are, how large, and whether their weights are here.",
    "summary": "Compare finished runs in a table: seeds of one setting as mean and 95-percent interval.",
    "pretrain": "Train the hybrid ViT without labels: distil from teachers, then contrast with clipping.",
    "study": "Measure clipping rules, amounts, batch sizes, codes and backbones; the same command goes on.",
    "bundle": "Copy a finished run without what only resuming needs, such as the bundled ones.",
    "lab": "The lab set: embeddings on which a head trains in seconds.",
    "maps": "Lay out the UMAP maps that the Embeddings page shows at once; those of runs that are gone are deleted.",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    escape_in_output()
    words = sys.argv[1:] if argv is None else argv
    try:
        _load_plugins()  # first, since help and choices list what they register
        arguments = _parser(words).parse_args(words)
        _load_plugins(arguments)
        return arguments.handler(arguments) or 0
    except InputError as error:
        print(f"transclipped: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"transclipped: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(words: Collection[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of a command line: all commands, and the options of those that its words name."""
    parser = argparse.ArgumentParser(prog="python -m transclipped", description="Unsupervised image retrieval.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name in words:
            import_module(f"{__name__}.{name}").add(command)
    return parser


def _load_plugins(arguments: argparse.Namespace | None = None) -> None:
    """Files of one's own code that the command line or the environment spells out; see `plugins.py`."""
    named = getattr(arguments, "plugin", None), getattr(arguments, "set_plugin", None)
    if any(named) or os.environ.get("TRANSCLIPPED_PLUGINS"):
        from transclipped.plugins import load_named

        load_named(*named)
