"""`summary`: runs in a table, with mean and interval over seeds."""

import argparse
import json
from pathlib import Path

from transclipped.cli.options import add_shared, print_result
from transclipped.errors import InputError

FILES = {"markdown": "table.md", "csv": "table.csv", "latex": "table.tex", "bibtex": "references.bib"}
FILES["commands"] = "commands.txt"


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("runs", type=Path, nargs="+", metavar="RUN", help="run directories, or folders of runs")
    option("--format", choices=tuple(FILES), default="markdown", help="format of the output (default markdown)")
    option("--report", action="store_true", help="write README.md with all runs into each folder of runs")
    option("--out", type=Path, help="folder to write all formats to")
    add_shared(parser)


def run(arguments: argparse.Namespace) -> None:
    if arguments.report:
        return _report(arguments)
    print_summary(arguments, _runs(arguments.runs), form=arguments.format, out=arguments.out)


def print_summary(
    arguments: argparse.Namespace, runs: list[Path], *, form: str = "markdown", out: Path | None = None
) -> None:
    """Print the table of `runs`, and write it in all formats to the folder `out`."""
    from transclipped.analysis import seeds
    from transclipped.runs.run import RunDir
    from transclipped.utils.files import replacing

    lines = seeds.lines([RunDir(run) for run in runs])
    for name, file in FILES.items() if out else ():
        with replacing(out / file) as temporary:
            temporary.write_text(_text(lines, name), encoding="utf-8")
    records = json.loads(seeds.numbers(lines).to_json(orient="records"))
    extra = [{"commands": line.commands, "cites": line.cites} for line in lines]
    result = [a | b for a, b in zip(records, extra, strict=True)]
    print_result(arguments, result, _text(lines, form).removesuffix("\n"))


def _report(arguments: argparse.Namespace) -> None:
    from transclipped.analysis.runs_report import write_report

    files = [str(write_report(folder)) for folder in arguments.runs]
    print_result(arguments, {"reports": files}, "\n".join(f"wrote {file}" for file in files))


def _runs(paths: list[Path]) -> list[Path]:
    """Run directories among `paths`, and the finished runs directly below the other paths."""
    from transclipped.runs.run import RunDir, find_runs

    runs: list[Path] = []
    for path in paths:
        below = [] if RunDir(path).exists else sorted(run.path for run in find_runs(path) if run.metrics())
        if not RunDir(path).exists and not below:
            raise InputError(f"{path} is neither a run nor a folder with finished runs")
        runs += below or [path]
    return list(dict.fromkeys(runs))


def _text(lines: list, form: str) -> str:
    from transclipped.analysis import references, seeds, tables

    if form == "csv":
        return seeds.numbers(lines).to_csv(index=False)
    if form == "bibtex":
        return references.bibtex(key for line in lines for key in line.cites)
    if form == "commands":
        return "".join(f"{command}\n" for line in lines for command in line.commands)
    table = seeds.table(lines)
    return seeds.latex(table) if form == "latex" else tables.markdown(table) + "\n"
