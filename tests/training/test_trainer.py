"""The training loop: trained parameters, events, and resuming from a saved state to the same result."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests import blobs
from transclipped.clipping import RULES, clip
from transclipped.config import LossConfig, RunConfig, ScheduleConfig
from transclipped.errors import InputError
from transclipped.losses import cosines
from transclipped.models.head import Network
from transclipped.retrieval.relevance import relevance
from transclipped.training import trainer as module
from transclipped.training.sources import Batch
from transclipped.training.trainer import Trainer, loss_of, perplexity, scheduled_lr

TERMS = ("contrastive", "entropy", "diversity")


def finished(trainer):
    return [blobs.figures(event) for event in trainer.events()]


def test_training_separates_the_classes():
    features, labels = blobs.views()
    trainer = blobs.trainer(blobs.settings(epochs=12))
    head = trainer.model

    def separation():
        z = cosines(head(torch.from_numpy(features[0])).quantized.flatten(1)).detach()
        same = torch.from_numpy(relevance(labels, labels))
        return (z[same].mean() - z[~same].mean()).item()

    before = separation()
    epochs = [event.values["loss"] for event in trainer.events() if event.kind == "epoch"]
    assert epochs[-1] < epochs[0] - 0.2 and separation() > before + 0.2


def test_events_are_steps_and_means_of_epochs():
    events = list(blobs.trainer().events())
    assert [event.kind for event in events] == (["step"] * 4 + ["epoch"]) * 3
    assert [event.step for event in events if event.kind == "step"] == list(range(1, 13))
    assert {event.total for event in events} == {12}
    assert [event.epoch for event in events if event.kind == "epoch"] == [1, 2, 3]
    names = {"loss", *TERMS, "clip_fraction", "mean_cosine", "perplexity", "lr", "images_per_s"}
    assert all(set(event.values) == names for event in events)
    for name in names - {"images_per_s"}:
        mean = np.mean([event.values[name] for event in events[:4]])
        assert events[4].values[name] == pytest.approx(mean)


def test_same_seed_gives_the_same_training_and_another_seed_another():
    first, again, other = blobs.trainer(), blobs.trainer(), blobs.trainer(blobs.settings(seed=1))
    assert finished(first) == finished(again) and blobs.same_state(first.state(), again.state())
    finished(other)
    assert not torch.equal(first.state()["model.projection.weight"], other.state()["model.projection.weight"])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("stop", [1, 3, 4, 6, 8, 11, 12])  # 4, 8 and 12 end an epoch
def test_resuming_gives_the_same_result(stop, optimizer):
    config = blobs.settings(optimizer=optimizer, start=0.5, full=2)
    check_resuming(lambda: blobs.trainer(config), stop)


def check_resuming(make, stop):
    """Training stopped after a step and restored gives the events and state of an uninterrupted one."""
    whole, stopped, resumed, events = make(), make(), make(), []
    expected = finished(whole)
    for event in stopped.events():
        events.append(blobs.figures(event))
        if event.step == stop:
            break
    resumed.restore(stopped.state())
    assert events + finished(resumed) == expected and blobs.same_state(resumed.state(), whole.state())


def test_state_saved_after_an_epoch_does_not_tell_its_end_again():
    trainer = blobs.trainer()
    for event in trainer.events():
        if event.kind == "epoch":
            break
    resumed = blobs.trainer()
    resumed.restore(trainer.state())
    assert [event.epoch for event in resumed.events() if event.kind == "epoch"] == [2, 3]


def test_finished_training_yields_nothing_after_restore():
    trainer = blobs.trainer()
    finished(trainer)
    resumed = blobs.trainer()
    resumed.restore(trainer.state())
    assert list(resumed.events()) == []


def test_further_training_does_not_change_a_saved_state():
    trainer = blobs.trainer()
    events = trainer.events()
    next(events)
    state = trainer.state()
    copy = {name: tensor.clone() for name, tensor in state.items()}
    next(events)
    assert all(torch.equal(state[name], copy[name]) for name in copy)


def test_state_of_another_model_is_rejected():
    state = blobs.trainer().state()
    wide = {**state, "model.projection.weight": torch.zeros(8, 99)}
    with pytest.raises(InputError, match=r"projection\.weight of shape \[8, 99\].*\[8, 12\]") as caught:
        blobs.trainer().restore(wide)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="another kind of model"):
        blobs.trainer().restore({"projection.weight": torch.zeros(8, 12)})


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("term", "moves_projection"), [("contrastive", 1), ("entropy", 1), ("diversity", 0)])
def test_each_term_moves_the_parameters_it_should(term, moves_projection, rule):
    config = blobs.settings(rule=rule)
    head = blobs.head(config)
    features = blobs.views()[0]
    codes = head(torch.from_numpy(np.concatenate([features[0][:16], features[1][:16]])))
    parts = loss_of(codes, head, config, epoch=9)
    getattr(parts, term).backward()
    assert (head.quantizer.codebooks.grad.abs().sum(-1) > 0).all()  # every codeword
    assert (head.projection.weight.grad is not None) == bool(moves_projection)
    if moves_projection:
        assert head.projection.weight.grad.abs().sum() > 0
        assert head.projection.bias.grad.abs().sum() > 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("treatment", ["remove", "clamp"])
def test_smallest_batch_at_the_coldest_temperature_stays_finite(rule, treatment):
    config = blobs.settings(rule=rule, batch=2, epochs=1, treatment=treatment, fraction=0.9, threshold=-1.0)
    config = RunConfig(**{**vars(config), "loss": LossConfig(temperature=0.01, entropy=0.1)})
    trainer = blobs.trainer(config)
    assert all(math.isfinite(v) for event in trainer.events() for v in event.values.values())
    assert all(torch.isfinite(p).all() for p in trainer.model.parameters())


def test_only_regularisers_remain_if_every_negative_is_clipped():
    config = blobs.settings(rule="threshold", threshold=-1.0, epochs=1, entropy=0.0)
    trainer = blobs.trainer(config)
    projection = trainer.model.projection.bias.detach().clone()
    codebooks = trainer.model.quantizer.codebooks.detach().clone()
    step = next(trainer.events()).values
    assert step["clip_fraction"] == 1 and step["contrastive"] == 0
    assert step["loss"] == pytest.approx(0.1 * step["diversity"])
    assert torch.equal(trainer.model.projection.bias, projection)
    assert not torch.equal(trainer.model.quantizer.codebooks, codebooks)


def test_clip_fraction_and_its_precision_are_counted_by_pairs():
    labels = blobs.views()[1]
    config = blobs.settings(rule="threshold", threshold=0.5, epochs=1)
    trainer = blobs.trainer(config, labels=labels)
    batch = next(trainer.source.batches(0, batch=16))
    mask = clip(cosines(trainer.model(batch.views).quantized.flatten(1).detach()), config.clipping).mask
    step = next(trainer.events()).values
    of = np.tile(labels[batch.rows], 2)
    pairs = [(i, j) for i in range(32) for j in range(32) if j not in (i, (i + 16) % 32)]
    clipped = [(i, j) for i, j in pairs if mask[i, j]]
    assert 0 < len(clipped) < len(pairs)
    assert step["clip_fraction"] == pytest.approx(len(clipped) / len(pairs))
    assert step["clip_precision"] == pytest.approx(np.mean([of[i] == of[j] for i, j in clipped]))


def test_mean_precision_of_clipping_counts_only_steps_that_clipped():
    config = blobs.settings(rule="threshold", threshold=0.5, epochs=1, start=0.5, full=0.5)
    events = list(blobs.trainer(config, labels=blobs.views()[1]).events())
    precise = [e.values["clip_precision"] for e in events if e.kind == "step" and "clip_precision" in e.values]
    assert 0 < len(precise) < 4
    assert events[-1].values["clip_precision"] == pytest.approx(np.mean(precise))


def test_labels_and_logging_do_not_change_the_weights():
    plain, labelled, brief = blobs.trainer(), blobs.trainer(labels=blobs.views()[1]), blobs.trainer(log_codes=False)
    events, _, fewer = (list(trainer.events()) for trainer in (plain, labelled, brief))
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(tensor, labelled.model.state_dict()[name])
        assert torch.equal(tensor, brief.model.state_dict()[name])
    for event, other in zip(events, fewer, strict=True):
        assert set(event.values) - set(other.values) == {"entropy", "perplexity"}
        assert other.values["loss"] == event.values["loss"]


def test_observer_is_called_at_every_nth_epoch_and_the_last():
    config = RunConfig(**{**vars(blobs.settings(epochs=5)), "validate_every": 2})
    calls = []
    trainer = blobs.trainer(config, observe=lambda: {"validation_map": calls.append(trainer.epoch) or 0.5})
    epochs = [event for event in trainer.events() if event.kind == "epoch"]
    assert calls == [2, 4, 5]
    assert [round(e.epoch) for e in epochs if "validation_map" in e.values] == [2, 4, 5]


@pytest.mark.parametrize("on", ["quantized", "continuous", "backbone"])
def test_clipping_uses_the_configured_embeddings(on):
    config = blobs.settings(rule="rank", fraction=0.3, on=on)
    head = blobs.head(config)
    features = torch.from_numpy(np.concatenate(blobs.views()[0][:2]))
    codes = head(features)
    seen = {"quantized": codes.quantized, "continuous": codes.continuous, "backbone": features.float()}[on]
    expected = clip(cosines(seen.flatten(1).detach()), config.clipping).mask
    assert torch.equal(loss_of(codes, head, config, epoch=1).clipped.mask, expected)


def test_batch_larger_than_the_data_is_rejected():
    with pytest.raises(InputError, match=r"71.*70 training images.*at most 70"):
        blobs.trainer(blobs.settings(batch=71))
    assert blobs.trainer(blobs.settings(batch=70)).total_steps == 3


def test_nan_loss_ends_the_training_with_advice():
    trainer = blobs.trainer()
    trainer.source.views[0][:] = np.nan
    trainer.source.views[1][:] = np.nan
    with pytest.raises(InputError, match=r"nan at step 0.*learning rate"):
        finished(trainer)


def test_learning_rate_warms_up_then_falls_to_zero():
    schedule = ScheduleConfig(epochs=10, lr=0.5, warmup=2)
    rates = [scheduled_lr(e, schedule) for e in np.linspace(0, 10, 101)]
    assert 0 < rates[0] < 0.01 and np.argmax(rates) == 20 and rates[20] == pytest.approx(0.5)
    assert rates[60] == pytest.approx(0.25)  # half of the cosine
    assert rates[100] == pytest.approx(0, abs=1e-9) and (np.diff(rates[:21]) > 0).all()
    assert (np.diff(rates[20:]) < 0).all()
    assert scheduled_lr(0, ScheduleConfig(warmup=0, lr=0.5)) == 0.5


def test_only_matrices_decay():
    trainer = blobs.trainer()
    decay = {id(p): group["weight_decay"] for group in trainer.optimizer.param_groups for p in group["params"]}
    head = trainer.model
    assert decay[id(head.projection.weight)] == 1e-4
    assert decay[id(head.projection.bias)] == decay[id(head.quantizer.codebooks)] == 0


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_saved_state_numbers_what_decays_first(decay):
    """Saved states refer to parameters by these numbers."""
    config = blobs.settings(epochs=1, batch=6)
    config = replace(config, schedule=replace(config.schedule, weight_decay=decay))
    trainer = Trainer(network(config), Images(), config)
    names = {id(p): name for name, p in trainer.model.named_parameters()}
    groups = [[names[id(p)] for p in group["params"]] for group in trainer.optimizer.param_groups]
    assert groups == [
        ["head.projection.weight"],
        ["head.projection.bias", "head.quantizer.codebooks"],
        ["backbone.2.weight"],
        ["backbone.2.bias", "backbone.3.weight", "backbone.3.bias"],
    ]
    assert [group["weight_decay"] for group in trainer.optimizer.param_groups] == [decay, 0, decay, 0]


def test_perplexity_of_known_codes():
    one_each = F.one_hot(torch.arange(8)[:, None].repeat(1, 2), 16).float()
    assert perplexity(one_each) == pytest.approx(8)
    collapsed = F.one_hot(torch.zeros(8, 2, dtype=torch.long), 16).float()
    assert perplexity(collapsed) == pytest.approx(1)
    half = torch.cat([one_each[:, :1], collapsed[:, :1]], 1)
    assert perplexity(half) == pytest.approx(4.5)


class Images:
    """A source of random images."""

    rows = np.arange(12)

    def batches(self, epoch, *, batch, skip=0):
        for step in range(skip, len(self.rows) // batch):
            generator = torch.Generator().manual_seed(100 * epoch + step)
            yield Batch(self.rows[:batch], torch.randn(2 * batch, 3, 8, 8, generator=generator))


def network(config):
    torch.manual_seed(0)
    backbone = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1)
    ).append(nn.Flatten())
    for parameter in [*backbone[0].parameters(), *backbone[1].parameters()]:
        parameter.requires_grad_(False)
    return Network(backbone, blobs.head(config, width=8))


def test_frozen_blocks_stay_and_trained_ones_move():
    config = blobs.settings(epochs=1, batch=6)
    trainer = Trainer(network(config), Images(), config)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    finished(trainer)
    for name, tensor in trainer.model.state_dict().items():
        frozen = name.startswith(("backbone.0.", "backbone.1."))  # running statistics too
        assert torch.equal(tensor, before[name]) == frozen, name


def test_backbone_learns_at_its_own_rate():
    config = blobs.settings(epochs=1, batch=6)
    trainer = Trainer(network(config), Images(), config)
    next(trainer.events())
    rate = {id(p): group["lr"] for group in trainer.optimizer.param_groups for p in group["params"]}
    convolution, projection = trainer.model.backbone[2].weight, trainer.model.head.projection.weight
    assert rate[id(convolution)] / rate[id(projection)] == pytest.approx(3e-4 / 0.01)


def test_resuming_a_network_gives_the_same_result():
    config = blobs.settings(epochs=2, batch=6)
    check_resuming(lambda: Trainer(network(config), Images(), config), 3)


def test_half_precision_reaches_the_backbone_but_not_the_loss(monkeypatch):
    config = blobs.settings(epochs=1, batch=6)
    monkeypatch.setattr(module, "fastest_dtype", lambda device: torch.bfloat16)
    trainer = Trainer(network(config), Images(), config)
    kinds = []
    trainer.model.backbone.register_forward_hook(lambda *call: kinds.append(call[-1].dtype))
    trainer.model.head.register_forward_hook(lambda *call: kinds.extend(t.dtype for t in call[-1][1:]))
    half = next(trainer.events()).values
    assert kinds == [torch.bfloat16, torch.float32, torch.float32, torch.float32]
    monkeypatch.setattr(module, "fastest_dtype", lambda device: torch.float32)
    whole = next(Trainer(network(config), Images(), config).events()).values
    for term in TERMS:
        assert half[term] == pytest.approx(whole[term], rel=0.05)


def test_a_bare_head_trains_in_full_precision(monkeypatch):
    monkeypatch.setattr(module, "fastest_dtype", lambda device: torch.bfloat16)
    half = finished(blobs.trainer())
    monkeypatch.setattr(module, "fastest_dtype", lambda device: torch.float32)
    assert finished(blobs.trainer()) == half
