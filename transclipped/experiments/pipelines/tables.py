"""Tables of measured pipelines, from the files that `pipeline compare --out` writes.

Every line of a file is one measurement; those that differ in seed only are averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.retrieval.line import Line
from transclipped.retrieval.stages import STAGES
from transclipped.utils.files import json_lines

SAME = ["data", "protocol", "n_queries", "n_database", "k"]  # of measurements that compare
MEANS = {"map": "map", "map_r": "map_r", "precision@10": "precision@10", "recall@K": "recall@K"}
MEANS |= {"seconds_per_query": "ms", "bytes_per_item": "bytes", "seconds_to_fit": "fit"}
CODES, FLOATS = "codes", "floats"


def frame(files: Iterable[Path]) -> pd.DataFrame:
    """Measurements of all files; lines that are no measurement are skipped, and equal ones count once."""
    lines = [line for file in files for line in json_lines(file) if isinstance(line, dict)]
    whole = [line for line in lines if isinstance(line.get("pipeline"), str) and line.get("map_r") is not None]
    table = pd.DataFrame(whole)
    if table.empty:
        return table
    for name in (*SAME, "seed", *MEANS):
        if name not in table:
            table[name] = None
    table["protocol"] = table["protocol"].fillna("")
    for name in ("n_queries", "n_database", "k", *MEANS):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    return table.dropna(subset=["map_r", "k", "data"]).drop_duplicates([*SAME, "pipeline", "seed"], keep="last")


def groups(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Measurements by data set and protocol; of several sizes, the largest."""
    if table.empty:
        return
    for (data, protocol), part in table.groupby(["data", "protocol"], sort=True):
        sizes = part.groupby(["n_database", "n_queries", "k"], dropna=False).ngroup()
        yield (data, protocol), part[sizes == sizes.max()]


def rows(table: pd.DataFrame) -> pd.DataFrame:
    """One row a pipeline: means, spread, and gain over the line without its last stage, where that was measured too;
    the lines that continue a line stand right below it, and `stage` is what each of them adds to it."""
    by_line = table.groupby("pipeline", sort=False)
    result = by_line[list(MEANS)].mean().rename(columns=MEANS)
    result["ms"] *= 1000
    result["n"] = by_line.size()
    result["spread"] = (by_line["map_r"].max() - by_line["map_r"].min()) / 2
    if (result["n"] < 2).all():
        result = result.drop(columns=["n", "spread"])
    scores = result["map_r"]
    before = {line: _before(line) for line in sorted(result.index, key=_steps)}
    before = {line: each if each in scores.index else "" for line, each in before.items()}
    result["stage"] = [_added(line, before[line]) for line in result.index]
    result["gain"] = [scores[line] - scores.get(before[line], float("nan")) for line in result.index]
    result["before"] = [before[line] for line in result.index]
    return result.loc[_below("", before)].reset_index()


def reranking(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean gain of each re-ranking that directly follows the coding, in columns by name of the table and by codes or
    floats."""
    cells = []
    for name, table in tables.items():
        for line, gain in zip(table["pipeline"], table["gain"], strict=True):
            kinds, names = _kinds(line)
            if gain == gain and kinds[-2:] == ["coding", "reranking"]:
                where = FLOATS if names[-2] == "float" else CODES
                cells.append({"Re-ranking": _steps(line)[-1], "on": f"{name}, {where}", "gain": gain})
    if not cells:
        return pd.DataFrame()
    wide = pd.DataFrame(cells).pivot_table(index="Re-ranking", columns="on", values="gain", sort=False)
    columns = [f"{name}, {where}" for name in tables for where in (CODES, FLOATS)]
    wide = wide[[name for name in columns if name in wide]]
    wide.columns.name = None
    return wide.reset_index()


def label_stages(table: pd.DataFrame) -> list[str]:
    """Stages of its lines that take labels of the database as keywords."""
    lines = [line for text in table["pipeline"] if (line := _line(text)) is not None]
    lines += [branch for line in lines for branch in line.steps[0].branches]
    steps = [step for line in lines for step in line.steps]
    return list(dict.fromkeys(step.name for step in steps if step.stage.uses_labels))


def _line(text: str) -> Line | None:
    try:
        return Pipeline(text).line
    except InputError:
        return None


def _steps(text: str) -> tuple[str, ...]:
    line = _line(text)
    return (text,) if line is None else tuple(map(str, line.steps))


def _before(text: str) -> str | None:
    """The longest prefix that ranks differently."""
    line = _line(text)
    if line is None:
        return None
    prefixes = [str(prefix) for prefix, _ in line.prefixes()]
    return prefixes[-2] if len(prefixes) > 1 and not line.steps[-1].branches else None


def _added(text: str, before: str) -> str:
    """What a line adds to the line before it, without the coding that both end in; its last stage if there is none
    before."""
    steps, prior = _steps(text), _steps(before) if before else ()
    if not prior:
        return steps[-1]
    shared = next((i for i, pair in enumerate(zip(steps, prior, strict=False)) if pair[0] != pair[1]), len(prior))
    added = steps[shared:]
    return " | ".join(added[:-1] if len(added) > 1 and added[-1] == prior[-1] else added)


def _below(line: str, before: Mapping[str, str]) -> list[str]:
    """The lines that continue a line, each with those that continue it, in the order of `before`."""
    return [each for next_ in before if before[next_] == line for each in (next_, *_below(next_, before))]


def _kinds(text: str) -> tuple[list[str], list[str]]:
    line = _line(text)
    names = [] if line is None else [step.name for step in line.steps]
    return [STAGES[name].kind for name in names], names
