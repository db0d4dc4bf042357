"""Runs that differ in nothing but their code length, to be asked the same question side by side."""

from __future__ import annotations

from dataclasses import asdict, replace

from transclipped.config import RunConfig


def siblings(config: RunConfig, others: dict[str, RunConfig]) -> dict[int, str]:
    """Names of runs of the same data, backbone and clipping rule, by bits, ascending; the run itself is not among them.

    Of several with the same bits the one that shares most settings counts, the first by name if they tie.

    Args:
        config: of the run that is looked at.
        others: configurations by the names of their runs, with or without its own.
    """
    found: dict[int, tuple[tuple, str]] = {}
    for name, other in others.items():
        bits = other.quantizer.bits
        if bits == config.quantizer.bits or not _alike(config, other):
            continue
        rank = (-_shared(config, other), name)
        if bits not in found or rank < found[bits][0]:
            found[bits] = (rank, name)
    return {bits: found[bits][1] for bits in sorted(found)}


def _alike(one: RunConfig, other: RunConfig) -> bool:
    def key(config: RunConfig) -> tuple:
        data = replace(config.data, validation=0, train_limit=None)  # what is searched and asked, not what was learnt
        return data, config.backbone.name, config.backbone.train, config.clipping.rule

    return key(one) == key(other)


def _shared(one: RunConfig, other: RunConfig) -> int:
    """Settings with the same value."""
    pairs = zip(_flat(asdict(one)), _flat(asdict(other)), strict=True)
    return sum(mine == theirs for mine, theirs in pairs)


def _flat(settings: dict) -> list:
    values = []
    for value in settings.values():
        values += _flat(value) if isinstance(value, dict) else [value]
    return values
