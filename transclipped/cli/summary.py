"""`summary`: runs in a table, seeds as mean and interval."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from transclipped.cli.options import add_shared
from transclipped.errors import InputError

FORMATS = ("markdown", "csv", "latex", "bibtex", "commands")
FILES = {"markdown": "table.md", "csv": "table.csv", "latex": "table.tex", "bibtex": "references.bib"}


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_summary)
    option = parser.add_argument
    option("runs", type=Path, nargs="+", metavar="RUN", help="run directories, or folders of runs")
    option("--format", choices=FORMATS, default="markdown", help="what is printed (default markdown)")
    option("--report", action="store_true", help="write README.md with all runs into each RUN, a folder of runs")
    option("--out", type=Path, help="folder for the table in all formats, the BibTeX and the commands")
    add_shared(parser)


def _summary(arguments: argparse.Namespace) -> int:
    if arguments.report:
        return _report(arguments)
    lines = _lines(_found(arguments.runs))
    if arguments.out:
        _write(lines, arguments.out)
    _print(lines, arguments.json, arguments.format)
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from transclipped.analysis.runs_report import write_report

    files = [str(write_report(folder)) for folder in arguments.runs]
    print(json.dumps({"reports": files}) if arguments.json else "\n".join(f"the report is in {file}" for file in files))
    return 0


def print_summary(runs: list[Path], *, as_json: bool) -> None:
    """Print the table of some runs, in Markdown or JSON."""
    _print(_lines(runs), as_json, "markdown")


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


def _print(lines: list, as_json: bool, form: str) -> None:
    from transclipped.analysis import seeds

    if as_json:
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
