"""Runs that differ only in their code length, for comparison side by side."""

from dataclasses import replace

from transclipped.config import RunConfig
from transclipped.flags import settings


def other_code_lengths(config: RunConfig, others: dict[str, RunConfig]) -> dict[int, str]:
    """Names of runs with the same data, backbone and clipping rule but other bits, by bits, ascending.

    Of several with the same bits, the run that shares most settings is chosen, the first by name if they tie.

    Args:
        config: of the run to compare with.
        others: configurations by names of their runs, with or without that run.
    """

    def task(other: RunConfig) -> tuple:
        data = replace(other.data, validation=0, train_limit=None)  # database and queries, not training images
        return data, other.backbone.name, other.backbone.train, other.clipping.rule

    def rank(name: str) -> tuple[int, str]:
        theirs = settings(others[name])
        return -sum(theirs[path] == value for path, value in settings(config).items()), name

    best: dict[int, str] = {}
    for name in sorted(others, key=rank):
        if task(others[name]) == task(config):
            best.setdefault(others[name].quantizer.bits, name)
    return {bits: best[bits] for bits in sorted(best) if bits != config.quantizer.bits}
