"""Which runs may be shown beside each other as the same thing in fewer or more bits."""

from dataclasses import replace

from transclipped.config import ClippingConfig, DataConfig, QuantizerConfig, RunConfig
from transclipped.runs.compare import siblings


def of(bits, **other):
    return replace(RunConfig(), quantizer=QuantizerConfig(bits=bits), **other)


def test_other_code_lengths_are_found_in_order_and_the_run_itself_is_not():
    found = siblings(of(32), {"self": of(32), "long": of(64), "short": of(16)})
    assert list(found.items()) == [(16, "short"), (64, "long")]


def test_other_rule_or_protocol_is_no_sibling_but_another_training_length_is():
    others = {
        "other rule": of(16, clipping=ClippingConfig(rule="none")),
        "other protocol": of(16, data=DataConfig(protocol="II")),
        "shorter": of(64, data=DataConfig(validation=500, train_limit=100)),
    }
    assert RunConfig().clipping.rule != "none"
    assert siblings(of(32), others) == {64: "shorter"}


def test_of_several_the_one_with_most_settings_in_common_counts():
    found = siblings(of(32, seed=3), {"a": of(16), "b": of(16, seed=3), "c": of(16, seed=3)})
    assert found == {16: "b"}
