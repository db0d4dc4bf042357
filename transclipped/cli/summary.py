"""`summary`: runs in a table, seeds as mean and interval. And what `train --seeds` does."""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from transclipped.errors import InputError

FORMATS = ("markdown", "csv", "latex", "bibtex", "commands")
FILES = {"markdown": "table.md", "csv": "table.csv", "latex": "table.tex", "bibtex": "references.bib"}


def add(commands) -> None:
    """Register the subcommand."""
    summary = "Compare finished runs in a table: seeds of one setting as mean and 95-percent interval."
    parser = commands.add_parser("summary", help=summary, description=summary)
    parser.set_defaults(handler=_summary)
    option = parser.add_argument
    option("runs", type=Path, nargs="+", metavar="RUN", help="run directories, or folders of runs")
    option("--format", choices=FORMATS, default="markdown", help="what is printed (default markdown)")
    option("--report", action="store_true", help="write README.md with all runs into each RUN, a folder of runs")
    option("--out", type=Path, help="folder for the table in all formats, the BibTeX and the commands")
    option("--json", action="store_true", help="print the result as JSON and nothing else")


def train_seeds(arguments: argparse.Namespace, train: Callable[[argparse.Namespace], int]) -> int:
    """Train a run for each of `arguments.seeds`, below the name <run>-seed<n>, and print their summary.

    Finished ones are kept with --resume, so that a series that was stopped goes on.
    """
    from transclipped.runs.run import RunDir

    if arguments.set_seed is not None:
        raise InputError("give --seed or --seeds, not both")
    if len(set(arguments.seeds)) < len(arguments.seeds) or min(arguments.seeds) < 0:
        raise InputError(f"--seeds are {' '.join(map(str, arguments.seeds))}; choose different whole numbers from 0")
    if arguments.run is None:
        raise InputError("--seeds needs --run, whose name the runs begin with, such as --run runs/demo")
    runs = [arguments.run.with_name(f"{arguments.run.name}-seed{seed}") for seed in arguments.seeds]
    for seed, path in zip(arguments.seeds, runs, strict=True):
        run = RunDir(path)
        if arguments.resume and run.exists and run.metrics() and run.status().get("state") == "finished":
            print(f"{path} is finished", file=sys.stderr)
            continue
        one = copy.copy(arguments)
        one.run, one.set_seed, one.seeds = path, seed, None
        one.resume = arguments.resume and run.exists
        with redirect_stdout(sys.stderr):  # where --json promises JSON alone
            code = train(one)
        if code:
            return code
    _print(_lines(runs), arguments, "markdown")
    return 0


def _summary(arguments: argparse.Namespace) -> int:
    if arguments.report:
        return _report(arguments)
    lines = _lines(_found(arguments.runs))
    if arguments.out:
        _write(lines, arguments.out)
    _print(lines, arguments, arguments.format)
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from transclipped.analysis.runs_report import write_report

    files = [str(write_report(folder)) for folder in arguments.runs]
    print(json.dumps({"reports": files}) if arguments.json else "\n".join(f"the report is in {file}" for file in files))
    return 0


def _found(paths: list[Path]) -> list[Path]:
    """Run directories among `paths`, and those directly below the others."""
    from transclipped.runs.run import RunDir, find_runs

    runs: list[Path] = []
    for path in paths:
        below = [] if RunDir(path).exists else sorted(run.path for run in find_runs(path) if run.metrics())
        if not RunDir(path).exists and not below:
            raise InputError(f"{path} is neither a run nor a folder with finished runs")
        runs += below or [path]
    return list(dict.fromkeys(runs))


def _lines(paths: list[Path]) -> list:
    from transclipped.analysis import seeds
    from transclipped.runs.run import RunDir

    return seeds.lines([RunDir(path) for path in paths])


def _print(lines: list, arguments: argparse.Namespace, form: str) -> None:
    from transclipped.analysis import seeds

    if arguments.json:
        records = seeds.numbers(lines).to_json(orient="records")
        extra = [{"commands": line.commands, "cites": line.cites} for line in lines]
        print(json.dumps([a | b for a, b in zip(json.loads(records), extra, strict=True)], ensure_ascii=False))
        return
    print(_text(lines, form), end="")


def _text(lines: list, form: str) -> str:
    from transclipped.analysis import references, seeds, tables

    if form == "csv":
        return seeds.numbers(lines).to_csv(index=False)
    if form == "bibtex":
        return references.bibtex(key for line in lines for key in line.cites)
    if form == "commands":
        return "".join(f"{command}\n" for line in lines for command in line.commands)
    shown = seeds.table(lines)
    return seeds.latex(shown) if form == "latex" else tables.markdown(shown) + "\n"


def _write(lines: list, out: Path) -> None:
    from transclipped.utils.files import replacing

    for form, name in {**FILES, "commands": "commands.txt"}.items():
        with replacing(out / name) as temporary:
            temporary.write_text(_text(lines, form), encoding="utf-8")
