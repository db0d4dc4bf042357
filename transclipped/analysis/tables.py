"""Tables of the study: one line per setting, with mean and spread over seeds."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transclipped.utils.files import json_lines

BY = {  # part: columns that make a line
    "curve": ["temperature", "rule", "amount"],
    "rules": ["protocol", "bits", "label", "amount", "temperature"],
    "shared": ["bits", "label"],
    "ideas": ["label"],
    "batch": ["batch", "label"],
    "codes": ["bits", "label"],
    "backbone": ["label", "rule"],
    "objectives": ["label"],
}
LATEX = {character: f"\\{character}" for character in "&%$#_{}"}
LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"}
VALUES = (
    "map",
    "map_tie_aware",
    "validation_map",
    "symmetric",
    "float",
    "soft",
    "clip_fraction",
    "clip_precision",
    "mean_cosine",
)


def results(folder: Path, part: str) -> list[dict[str, Any]]:
    """Results `<part>.jsonl` of a part so far; an incomplete last line is skipped."""
    return list(json_lines(folder / f"{part}.jsonl"))


def summary(folder: Path, part: str) -> pd.DataFrame:
    """Results of a part by setting: number of seeds, mean of every value, and `spread`, half the range of the mAP."""
    table = pd.DataFrame(results(folder, part))
    if table.empty:
        return table
    groups = table.groupby(BY[part.partition("-")[0]], sort=False)
    means = groups[[name for name in VALUES if name in table]].mean()
    means.insert(0, "seeds", groups.size())
    means.insert(2, "spread", (groups["map"].max() - groups["map"].min()) / 2)
    return means.dropna(axis=1, how="all").reset_index()


def markdown(columns: Mapping[str, Iterable[Any]] | pd.DataFrame, *, number: str = ".3f") -> str:
    """Table in GitHub's Markdown, without a final line break; `number` formats fractions."""
    names = list(columns)
    if not names:
        return "nothing measured yet"
    lines = zip(*(columns[name] for name in names), strict=True)
    rows = [names, *([text(value, number) for value in line] for line in lines)]
    written = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([written[0], "|" + " --- |" * len(names), *written[1:]])


def text(value: Any, number: str = ".4g") -> str:
    """A value as readable text; empty if missing."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return format(value, number) if isinstance(value, float | np.floating) else str(value)


def latex(columns: Mapping[str, Iterable[Any]] | pd.DataFrame, *, number: str = ".3f") -> str:
    """Table in LaTeX with rules of the package booktabs, without a final line break."""
    names = list(columns)
    lines = zip(*(columns[name] for name in names), strict=True)
    rows = [names, *([text(value, number) for value in line] for line in lines)]
    head, *body = [" & ".join(map(_escaped, row)) + r" \\" for row in rows]
    inside = "\n".join([r"\toprule", head, r"\midrule", *body, r"\bottomrule"])
    return f"\\begin{{tabular}}{{{'l' * len(names)}}}\n{inside}\n\\end{{tabular}}"


def _escaped(cell: Any) -> str:
    """Text for LaTeX, a special character as a command."""
    return "".join(LATEX.get(character, character) for character in str(cell))
