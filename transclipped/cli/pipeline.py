"""`pipeline`: run, compare, list and explain retrieval pipelines."""

import argparse
import sys
from pathlib import Path
from typing import Any

from transclipped.cli.options import add_data, add_shared, data_of, print_result
from transclipped.errors import InputError


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run = _action(actions, "run", "Fit a pipeline on a data set and measure it.")
    run.add_argument("line", metavar="LINE", help="stages with | between them, in quotes, or the name of a preset")
    run.add_argument("--out", type=Path, help="folder to save the fitted pipeline in")
    compare = _action(actions, "compare", "Measure the pipelines of a file; rerun to resume.")
    compare.add_argument("file", type=Path, metavar="FILE", help="text file with one pipeline a line")
    compare.add_argument("--out", type=Path, required=True, help="file to which each result is appended as JSON")
    compare.add_argument("--format", choices=("markdown", "csv"), default="markdown", help="table (default markdown)")
    for each in (run, compare):
        add_data(each)
        each.add_argument("--queries", type=int, dest="query_limit", help="maximum number of queries")
        each.add_argument("--validation", type=int, default=0, help="measure this many training images instead")
        each.add_argument("--k", type=int, help="K of AP@K (default: the data set's)")
    _action(actions, "list", "List all stages and presets.")
    explain = _action(actions, "explain", "Say what a stage or each stage of a pipeline does.")
    explain.add_argument("line", metavar="LINE", help="pipeline, preset or stage")


def run(arguments: argparse.Namespace) -> int | None:
    actions = {"run": _run, "compare": _compare, "list": _list, "explain": _explain}
    return actions[arguments.action](arguments)


def _action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=summary)
    add_shared(parser, plugin=True)
    return parser


def _run(arguments: argparse.Namespace) -> None:
    from transclipped.experiments.pipelines.pipeline import Pipeline
    from transclipped.retrieval.advice import advice

    _check(arguments)
    pipeline = Pipeline(arguments.line)
    for sentence in advice(pipeline.line):
        print(sentence, file=sys.stderr)
    pipeline.fit(data_of(arguments), validation=arguments.validation)
    result = pipeline.evaluate(arguments.k)
    if arguments.out is not None:
        result["saved"] = str(pipeline.save(arguments.out))
    print_result(arguments, result)


def _compare(arguments: argparse.Namespace) -> int:
    from transclipped.experiments.pipelines.compare import compare, read_lines, table
    from transclipped.experiments.pipelines.source import images_of

    _check(arguments)
    pipelines = read_lines(arguments.file)
    source = images_of(data_of(arguments), validation=arguments.validation)
    results = []
    for result in compare(pipelines, source, arguments.out, k=arguments.k):
        if isinstance(result, InputError):
            print(f"transclipped: {result}", file=sys.stderr)
        else:
            results.append(result)
    if results:
        print_result(arguments, results, table(results, arguments.format).removesuffix("\n"))
    return 0 if len(results) == len(pipelines) else 2


def _check(arguments: argparse.Namespace) -> None:
    if arguments.k is not None and arguments.k < 1:
        raise InputError(f"--k is {arguments.k}; choose 1 or more")
    if arguments.validation < 0:
        raise InputError(f"--validation is {arguments.validation}; choose 0 or more")


def _stages() -> Any:
    """The registry, complete."""
    from transclipped.experiments.pipelines.pipeline import Pipeline
    from transclipped.retrieval.stages import STAGES

    Pipeline("float")  # imports all stages
    return STAGES


def _list(arguments: argparse.Namespace) -> None:
    from transclipped.retrieval.line import presets
    from transclipped.retrieval.stages import KINDS

    stages = sorted(_stages().items(), key=lambda item: KINDS.index(item[1].kind))
    lines, previous = [], ""
    for name, stage in stages:
        lines += [f"\n{stage.kind}"] if stage.kind != previous else []
        lines.append(f"  {name:<22} {stage.idea}{f' It {stage.note}.' if stage.note else ''}")
        previous = stage.kind
    lines += ["\npresets", *(f"  {name:<22} {line}" for name, line in presets().items())]
    result = {"stages": [_facts(name, stage) for name, stage in stages], "presets": presets()}
    print_result(arguments, result, "\n".join(lines).strip())


def _explain(arguments: argparse.Namespace) -> None:
    from transclipped.experiments.pipelines.pipeline import Pipeline
    from transclipped.retrieval.advice import advice

    stages, name = _stages(), arguments.line.strip()
    if name in stages:
        facts = _facts(name, stages[name])
        return print_result(arguments, facts, _text(facts))
    line = Pipeline(arguments.line).line
    steps = [step for branch in line.steps[0].branches for step in branch.steps] + list(line.steps)
    facts = [_facts(step.name, step.stage) for step in steps]
    sentences = advice(line)
    texts = [str(line), *sentences, *(_text(each) for each in facts)]
    print_result(arguments, {"pipeline": str(line), "advice": sentences, "stages": facts}, "\n\n".join(texts))


def _facts(name: str, stage: Any) -> dict[str, Any]:
    import inspect

    from transclipped.analysis.references import of_stage

    options = {option: None if value is inspect.Parameter.empty else value for option, value in stage.options.items()}
    facts = {"name": name, "kind": stage.kind, "idea": stage.idea, "formula": stage.formula, "source": stage.source}
    facts["cites"] = of_stage(stage.source)
    facts |= {"note": stage.note} if stage.note else {}
    return {**facts, "options": options, "bounds": {option: list(ends) for option, ends in stage.bounds.items()}}


def _text(facts: dict[str, Any]) -> str:
    lines = [f"{facts['name']} ({facts['kind']}): {facts['idea']}", f"  {facts['formula']}", f"  {facts['source']}"]
    lines += [f"  {facts['note']}"] if "note" in facts else []
    for option, value in facts["options"].items():
        ends = facts["bounds"].get(option)
        choice = ""
        if ends:
            choice = f", one of {', '.join(ends)}" if isinstance(ends[0], str) else f", from {ends[0]} to {ends[1]}"
        lines.append(f"  {option}: default {value}{choice}")
    return "\n".join(lines)
