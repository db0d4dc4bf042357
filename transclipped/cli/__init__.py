"""The same work without a browser: `python -m transclipped COMMAND --help`.

Results go to standard output (with --json, JSON and nothing else); progress and messages to standard error.
Exit status: 0 success, 2 bad input (one readable line), 130 interrupted with the state saved.

Each command is a module of this folder: `add(parser)` adds its options and `run(arguments)` does the work. Only the
modules that the command line names are imported, which keeps `--help` fast.
"""

import argparse
import os
import sys
from collections.abc import Collection
from importlib import import_module

from transclipped.errors import InputError
from transclipped.utils.output import escape_in_output

INTERRUPTED = 130
COMMANDS = {  # name of the command and of its module, and what it does
    "train": "Train a run, index its database and measure retrieval.",
    "evaluate": "Measure the retrieval of a trained run.",
    "search": "Find the images of a database that are most similar to one or several images.",
    "encode": "Turn a folder of images into a searchable collection; encodes only new and changed images.",
    "datasets": "List, check and download data sets; write a split; show or clear the cache.",
    "export": "Write codes, embeddings, index or encoder of a run for other programs.",
    "backbones": "List backbones with their size, and whether their weights are on this machine.",
    "summary": "Compare finished runs in a table: seeds of one setting as mean and 95-percent interval.",
    "pretrain": "Train the hybrid ViT without labels: distil from teachers, then contrast with clipping.",
    "study": "Measure clipping rules, amounts, batch sizes, codes and backbones; rerun to resume.",
    "bundle": "Copy a finished run without the files that only resuming needs.",
    "lab": "Build the lab set, on which a head trains in seconds, and sweep clipping on it.",
    "pipeline": "Run, compare, list and explain retrieval pipelines, written as one line.",
    "maps": "Compute the UMAP maps that the Embeddings page shows at once; delete those of deleted runs.",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    escape_in_output()
    words = sys.argv[1:] if argv is None else argv
    try:
        _load_plugins()  # first, because help and choices list what plug-ins register
        arguments = _parser(words).parse_args(words)
        _load_plugins(arguments)
        return import_module(f"{__name__}.{arguments.command}").run(arguments) or 0
    except InputError as error:
        print(f"transclipped: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"transclipped: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(words: Collection[str] = COMMANDS) -> argparse.ArgumentParser:
    """Parser of all commands, with the options of those among `words`."""
    parser = argparse.ArgumentParser(prog="python -m transclipped", description="Unsupervised image retrieval.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name in words:
            import_module(f"{__name__}.{name}").add(command)
    return parser


def _load_plugins(arguments: argparse.Namespace | None = None) -> None:
    """Load the plug-ins that the command line or the environment names; see `plugins.py`."""
    files = getattr(arguments, "plugin", None), getattr(arguments, "set_plugin", None)
    if any(files) or os.environ.get("TRANSCLIPPED_PLUGINS"):
        from transclipped.plugins import load_named

        load_named(*files)
