"""The report of a folder of finished runs, `README.md`: a table for each data set, and the commands to reproduce them.

runs_report.md holds its first part.
"""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from transclipped.analysis.benchmarks import SEARCHES, learned
from transclipped.analysis.tables import markdown
from transclipped.config import WITHOUT_NEGATIVES
from transclipped.errors import InputError
from transclipped.flags import command
from transclipped.runs.run import RunDir, find_runs
from transclipped.utils.files import replacing

FILE = "README.md"
HEAD = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")


def write_report(folder: Path) -> Path:
    """Write the report of the finished runs in a folder into it.

    Raises:
        InputError: there are none, one is damaged or has no mAP, or the folder cannot be written.
    """
    runs = [run for run in find_runs(folder) if run.metrics()]
    if not runs:
        raise InputError(f"{folder} has no finished runs; --report takes a folder of runs")
    with replacing(folder / FILE) as temporary:
        temporary.write_text(report(runs), encoding="utf-8")
    return folder / FILE


def report(runs: Iterable[RunDir]) -> str:
    """Tables by data set, protocol and K, and the commands, in Markdown. InputError if a run has no metrics."""
    runs = sorted(runs, key=lambda run: (*map(str, _task(run)), run.name))
    sections = [_section(list(group)) for _, group in groupby(runs, _task)]
    commands = "\n".join(command(run.config, f"runs/{run.name}") for run in runs)
    return "\n\n".join([HEAD.strip(), *sections, f"## Commands\n\n```bash\n{commands}\n```"]) + "\n"


def row(run: RunDir) -> dict[str, Any]:
    """A run as a line of its table."""
    config, metrics = run.config, run.metrics()
    seconds = metrics.get("seconds", {}).get("training")
    loss, words = config.loss, [learned(config)]
    if loss.objective not in WITHOUT_NEGATIVES:
        words.append(f"τ = {loss.temperature:g}")
    value = {search: modes["map"] for search, modes in metrics["modes"].items()}
    return {
        "run": f"`{run.name}`",
        "backbone": config.backbone.name,
        "bits": config.quantizer.bits,
        "clipping": ", ".join(words),
        "epochs": config.schedule.epochs,
        "seed": config.seed,
        "held out": f"{config.data.validation:,}",
        "seconds": None if seconds is None else round(seconds),
        "asymmetric": value["asymmetric"],
        "tie-aware": metrics["modes"]["asymmetric"]["map_tie_aware"],
        **{search: value.get(search) for search in SEARCHES[1:]},
    }


def _task(run: RunDir) -> tuple[str, str, int, int, int]:
    """Runs compare within a task: data set, protocol, K, and the numbers of queries and database images."""
    metrics = run.metrics()
    if metrics is None or metrics["modes"].get("asymmetric", {}).get("map") is None:
        raise InputError(f"{run.path} has no mAP; run `evaluate --run {run.path}`, or leave it out")
    data = run.config.data
    protocol = data.protocol or ("I" if data.dataset == "cifar10" else "")
    return data.dataset, protocol, metrics["k"], metrics["n_queries"], metrics["n_database"]


def _section(runs: list[RunDir]) -> str:
    dataset, protocol, k, queries, database = _task(runs[0])
    sizes = {run.config.backbone.image_size for run in runs} - {None}
    pixels = f", {', '.join(map(str, sorted(sizes)))} pixels" if sizes else ""
    title = f"{dataset}, protocol {protocol}" if protocol else dataset
    rows = [row(run) for run in runs]
    table = markdown({name: [line[name] for line in rows] for name in rows[0]})
    return f"## {title}\n\n{queries:,} queries, {database:,} images in the database{pixels}, mAP@{k}:\n\n{table}"
