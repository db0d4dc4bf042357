"""Measured numbers in README.md and in the models' cards, rendered from the files that hold the results.

    python -m tests.readme_tables           # print what is stale, and what it should say
    python -m tests.readme_tables --write   # put it right

A table is found by how its first line begins, a sentence by its words; only numbers and rows are replaced.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from transclipped.analysis.tables import markdown, summary
from transclipped.clipping import RULES
from transclipped.config import ClippingConfig, RunConfig
from transclipped.experiments.study.parts import PARTS, SAME, SHARED, Plan
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS, read_json

README = ASSETS.parent / "README.md"
STUDY, MODELS = ASSETS / "study", ASSETS / "models"
SEARCHES = ("asymmetric", "symmetric", "float")
COUNTS = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True)
class Table:
    """A table in Markdown; `begin` is how its first line begins, in the file as here."""

    file: Path
    begin: str
    text: str

    def __str__(self) -> str:
        return self.text

    def put_into(self, page: str) -> str:
        """The page with this table in the place of the old one.

        Raises:
            ValueError: there is no place for it, or more than one.
        """
        place = _only(re.finditer(rf"^{re.escape(self.begin)}.*\n(\|.*\n)+", page, re.M), self.file, self.begin)
        return page[: place.start()] + self.text + "\n" + page[place.end() :]


@dataclass(frozen=True)
class Sentence:
    """Words with a measured value at each `{}`."""

    file: Path
    words: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return self.words.format(*self.values)

    def put_into(self, page: str) -> str:
        """The page with these values; lines stay broken where they are.

        Raises:
            ValueError: the words are not there, or more than once.
        """
        spaced = [r"\s+".join(map(re.escape, part.split(" "))) for part in self.words.split("{}")]
        place = _only(re.finditer(r"(\d+\.\d+|\w+)".join(spaced), page), self.file, self.words)
        for group in range(len(self.values), 0, -1):  # from the last, so that earlier places stay where they are
            page = page[: place.start(group)] + self.values[group - 1] + page[place.end(group) :]
        return page


def measured() -> list[Table | Sentence]:
    """All that is compared."""
    return [
        Table(README, "| run | protocol |", markdown(_runs("cifar10"))),
        Table(README, "| run | bits |", markdown(_runs("caltech101").drop(columns="protocol"))),
        Table(README, "| rule (setting", markdown(_rules())),
        Table(README, "| rule at τ = ", markdown(_shared())),
        Table(README, "| τ | none |", markdown(_curve())),
        Table(README, "| backbone | head: none |", markdown(_backbones())),
        Table(README, "| what decides |", markdown(_ideas())),
        Table(README, "| pictures a step |", markdown(_batches())),
        Table(README, "| bits | clipping |", markdown(_codes())),
        *_said(),
        *(piece for name in read_json(MODELS / "quality.json") for piece in _card(name)),
    ]


def described(config: RunConfig) -> str:
    """Rule, amount and temperature, such as "adaptive, c = 2, τ = 0.2"."""
    return ", ".join([config.clipping.rule, *_amounts(config.clipping), f"τ = {config.loss.temperature:g}"])


def _amounts(clipping: ClippingConfig) -> Iterable[str]:
    return [f"{amount.symbol} = {getattr(clipping, amount.field):g}" for amount in RULES[clipping.rule].settings]


def _runs(dataset: str) -> pd.DataFrame:
    """Bundled runs on a data set, by name."""
    lines = []
    for run in map(RunDir, sorted((ASSETS / "runs").iterdir())):
        config, modes = run.config, run.metrics()["modes"]
        if config.data.dataset != dataset:
            continue
        found = {search: f"{modes[search]['map']:.3f}" for search in SEARCHES}
        lines.append({
            "run": f"`{run.name}`",
            "protocol": config.data.protocol or "I",
            "bits": config.quantizer.bits,
            "clipping": described(config),
            "epochs": config.schedule.epochs,
            "asymmetric": f"**{found.pop('asymmetric')}**",
            "tie-aware": f"{modes['asymmetric']['map_tie_aware']:.3f}",
            **found,
        })  # fmt: skip
    return pd.DataFrame(lines)


def _rules() -> pd.DataFrame:
    named = {trial.label: trial.config for trial in PARTS["rules-I"](Plan(STUDY))}
    lines = {label: {} for label in dict.fromkeys(["none", SAME, *named])}
    for part in ("rules-I", "rules-II"):
        for r in summary(STUDY, part).sort_values(["protocol", "bits"]).to_dict("records"):
            lines[r["label"]][f"({r['protocol']}) {r['bits']}"] = _mean(r)
    head = "rule (setting chosen on validation)"
    return pd.DataFrame([{head: described(named[label]), **line} for label, line in lines.items()])


def _shared() -> pd.DataFrame:
    named = {trial.label: trial.config for trial in PARTS["shared"](Plan(STUDY))}
    lines = {label: {} for label in named}
    for r in summary(STUDY, "shared").sort_values("bits").to_dict("records"):
        lines[r["label"]][f"{r['bits']} bits"] = _mean(r)
    head = f"rule at τ = {SHARED:g}"
    amounts = {label: ", ".join([label, *_amounts(config.clipping)]) for label, config in named.items()}
    return pd.DataFrame([{head: amounts[label], **line} for label, line in lines.items()])


def _curve() -> pd.DataFrame:
    found = summary(STUDY, "curve")
    temperatures = found["temperature"].unique()
    columns = {"τ": [f"{temperature:g}" for temperature in temperatures]}
    for rule in ("none", "threshold", "rank", "adaptive"):
        mine = found[found["rule"] == rule].pivot(index="temperature", columns="amount", values="map")
        for i, amount in enumerate(found[found["rule"] == rule]["amount"].unique()):
            name = rule if rule == "none" else f"{RULES[rule].amount.symbol} = {amount:g}" if i == 0 else f"{amount:g}"
            columns[name] = mine[amount].reindex(temperatures).to_list()
    return pd.DataFrame(columns)


def _backbones() -> pd.DataFrame:
    lines: dict[str, dict[str, str]] = {}
    for r in summary(STUDY, "backbone").to_dict("records"):
        lines.setdefault(r["label"], {"backbone": r["label"]})[f"head: {r['rule']}"] = _mean(r)
    return pd.DataFrame(lines.values())


def _ideas() -> pd.DataFrame:
    found = summary(STUDY, "ideas")
    return pd.DataFrame({
        "what decides": found["label"],
        "mAP@1000": [_mean(r) for r in found.to_dict("records")],
        "clipped": [f"{share:.1%}" for share in found["clip_fraction"]],
        "of these of one class": [f"{share:.0%}" for share in found["clip_precision"]],
    })  # fmt: skip


def _batches() -> pd.DataFrame:
    lines: dict[str, dict[str, float]] = {}
    for r in summary(STUDY, "batch").to_dict("records"):
        lines.setdefault(r["label"], {"pictures a step": r["label"]})[str(r["batch"])] = r["map"]
    return pd.DataFrame(lines.values())


def _codes() -> pd.DataFrame:
    names = {"bits": "bits", "label": "clipping", "map": "asymmetric", "symmetric": "symmetric", "float": "float"}
    names |= {"soft": "soft codes"}
    return summary(STUDY, "codes")[list(names)].rename(columns=names)


def _said() -> list[Sentence]:
    """What README's prose says of the tables."""
    rules = summary(STUDY, "rules-I")
    best = rules.groupby("bits")["map"].max() - rules[rules["label"] == "none"].set_index("bits")["map"]
    shared = summary(STUDY, "shared")
    alike = shared.groupby("bits")["map"].max() - shared[shared["label"] == "none"].set_index("bits")["map"]
    curve = summary(STUDY, "curve")
    adaptive = curve[curve["rule"] == "adaptive"]
    at_two = adaptive[adaptive["amount"] == 2].set_index("temperature")["map"]
    short = adaptive.groupby("temperature")["map"].max() - at_two
    fixed = curve[(curve["rule"] == "threshold") & (curve["amount"] == 0.4)]["map"]
    hybrid = read_json(MODELS / "quality.json")["hybrid-vit"]["cifar10"]
    reached = _three([hybrid["map"], hybrid["accuracy"]])
    seeds = COUNTS[summary(STUDY, "ideas")["seeds"].min()]
    two = "at c = 2 it stays within {} of its best at all three temperatures, where δ = 0.4 falls from {} to {}"
    return [
        Sentence(README, "the best rule gains {} at 16 bits, {} at 32 and {} at 64 on (I)", _three(best[[16, 32, 64]])),
        Sentence(README, "validation chose there, {} at 16 bits, {} at 32 and {} at 64:", _three(alike[[16, 32, 64]])),
        Sentence(README, two, _three([short.max(), fixed.max(), fixed.min()])),
        Sentence(README, "half an hour in all: mAP@1000 {}, 20-NN accuracy {};", reached),
        Sentence(README, "Variants of the adaptive rule, 32 bits, {} seeds:", (seeds,)),
    ]


def _card(name: str) -> list[Table | Sentence]:
    """What a model's card says of its measured quality."""
    file, found = MODELS / f"{name}.md", read_json(MODELS / "quality.json")
    sets = {key: value for key, value in found[name].items() if isinstance(value, dict)}
    table = pd.DataFrame({
        "pictures": list(sets),
        "size": [f"{value['size']} px" for value in sets.values()],
        "nearest neighbours vote right": [value["accuracy"] for value in sets.values()],
        "mAP@K of float embeddings": [value["map"] for value in sets.values()],
    })  # fmt: skip
    pieces: list[Table | Sentence] = [Table(file, "| pictures | size |", markdown(table))]
    if found[name]["speed_ratio"] != 1:
        words = "Encoding at 96 pixels runs at {} times the bare CNN's pictures a second"
        pieces.append(Sentence(file, words, (f"{found[name]['speed_ratio']:.2f}",)))
    if name == "hybrid-vit":
        reached = found[name]["cifar10"]
        words = "where this one reaches {} and {}. Not bundled"
        pieces.append(Sentence(file, words, _three([reached["accuracy"], reached["map"]])))
    return pieces


def _mean(line: dict) -> str:
    return f"{line['map']:.3f} ± {line['spread']:.3f}"


def _three(values: Iterable[float]) -> tuple[str, ...]:
    """Numbers to three places."""
    return tuple(f"{value:.3f}" for value in values)


def _only(found: Iterable[re.Match], file: Path, what: str) -> re.Match:
    places = list(found)
    if len(places) != 1:
        raise ValueError(f"{file.name} has {len(places)} places for {what!r}; it must have one")
    return places[0]


def main() -> None:
    """Print what is stale, or put it right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write it into the files")
    write = parser.parse_args().write
    for piece in measured():
        page = piece.file.read_text(encoding="utf-8")
        if (right := piece.put_into(page)) != page:
            print(f"{'written to' if write else 'stale in'} {piece.file.relative_to(README.parent)}:\n\n{piece}\n")
            if write:
                piece.file.write_text(right, encoding="utf-8")


if __name__ == "__main__":
    main()
