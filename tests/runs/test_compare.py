"""Runs that differ only in their number of bits."""

from dataclasses import replace

from transclipped.config import ClippingConfig, DataConfig, QuantizerConfig, RunConfig
from transclipped.runs.compare import other_code_lengths


def of(bits, **other):
    return replace(RunConfig(), quantizer=QuantizerConfig(bits=bits), **other)


def test_other_code_lengths_are_in_order_each_by_the_most_similar_run():
    result = other_code_lengths(of(32), {"self": of(32), "long": of(64), "short": of(16)})
    assert list(result.items()) == [(16, "short"), (64, "long")]
    result = other_code_lengths(of(32, seed=3), {"a": of(16), "b": of(16, seed=3), "c": of(16, seed=3)})
    assert result == {16: "b"}


def test_rule_and_protocol_must_agree_but_not_training_images():
    others = {
        "other rule": of(16, clipping=ClippingConfig(rule="none")),
        "other protocol": of(16, data=DataConfig(protocol="II")),
        "shorter": of(64, data=DataConfig(validation=500, train_limit=100)),
    }
    assert RunConfig().clipping.rule != "none"
    assert other_code_lengths(of(32), others) == {64: "shorter"}
