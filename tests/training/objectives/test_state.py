"""The state of MoCo and BYOL in training: the slow copy, the queue, resuming, and every objective in the trainer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests import blobs
from tests.training.test_trainer import check_resuming
from transclipped.clipping import negatives
from transclipped.config import NT_XENT, OBJECTIVE_NAMES, LossConfig, RunConfig
from transclipped.errors import InputError
from transclipped.losses import OBJECTIVES as REGISTERED
from transclipped.losses import Memory, cosines, training_loss
from transclipped.training.objectives import state as module
from transclipped.training.objectives.state import predictor, state_of

SLOW = ("moco", "byol")


def settings(objective, **options):
    config = blobs.settings(**options)
    return replace(config, loss=replace(config.loss, objective=objective))


def trained(objective, steps=None, **options):
    trainer = blobs.trainer(settings(objective, **options), labels=blobs.views()[1])
    events = []
    for event in trainer.events():
        events.append(event)
        if event.step == steps:
            break
    return trainer, events


def test_the_names_of_the_configuration_are_those_registered():
    assert set(OBJECTIVE_NAMES) == set(REGISTERED)
    assert {name for name, objective in REGISTERED.items() if objective.negatives} == {"simclr", "moco"}


@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
@pytest.mark.parametrize("on", ["quantized", "continuous", "backbone"])
def test_every_objective_trains_and_clips_only_with_negatives(objective, on):
    _, events = trained(objective, rule="rank", fraction=0.3, on=on, epochs=4)
    losses = [event.values["contrastive"] for event in events if event.kind == "epoch"]
    assert all(np.isfinite(list(event.values.values())).all() for event in events)
    assert objective == "moco" or losses[-1] < losses[0]  # whose queue grows, and its losses with it
    share = events[-1].values["clip_fraction"]
    assert 0.25 < share <= 0.3 if REGISTERED[objective].negatives else share == 0
    assert ("clip_precision" in events[-1].values) == REGISTERED[objective].negatives


@pytest.mark.parametrize("objective", OBJECTIVE_NAMES)
def test_every_objective_moves_projection_and_codebooks(objective):
    before, (trainer, _) = blobs.head(settings(objective)), trained(objective, steps=2)
    for name, tensor in before.state_dict().items():
        assert not torch.equal(trainer.model.state_dict()[name], tensor), name


@pytest.mark.parametrize("objective", SLOW)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("stop", [1, 4, 7])
def test_resuming_gives_the_same_result(objective, stop, optimizer):
    config = settings(objective, optimizer=optimizer)
    check_resuming(lambda: blobs.trainer(config), stop)


@pytest.mark.parametrize("objective", SLOW)
def test_the_state_is_on_the_models_device(objective):
    config = settings(objective)
    state = state_of(blobs.head(config).to("meta"), config)
    assert {tensor.device.type for tensor in state.state_dict().values()} == {"meta"}


def test_a_state_without_the_objectives_part_is_rejected():
    state = blobs.trainer(settings("simclr")).state()
    for objective in SLOW:
        with pytest.raises(InputError, match="objective"):
            blobs.trainer(settings(objective)).restore(state)


@pytest.mark.parametrize("objective", SLOW)
def test_the_copy_follows_slowly_and_gets_no_gradient(objective):
    trainer = blobs.trainer(settings(objective))
    name, slow = "projection.weight", trainer.slow
    expected = trainer.model.state_dict()[name].clone()
    for event in trainer.events():
        if event.kind == "step":
            expected = 0.99 * expected + 0.01 * trainer.model.state_dict()[name]
    torch.testing.assert_close(slow.copy.state_dict()[name], expected)
    assert all(p.grad is None for p in slow.copy.parameters())
    assert not torch.equal(expected, trainer.model.state_dict()[name])


def test_the_queue_holds_the_latest_second_views_and_never_the_anchors_own_image(monkeypatch):
    monkeypatch.setattr(module, "QUEUE", 40)
    trainer = blobs.trainer(settings("moco", epochs=2))
    batches = [batch for epoch in range(2) for batch in trainer.source.batches(epoch, batch=16)]
    assert (trainer.slow.rows == -1).all()
    memory, _ = trainer.slow.memory(batches[0].views, batches[0].rows)
    assert not memory.candidates.any()  # nothing is queued yet
    for _ in trainer.events():
        pass
    latest = np.concatenate([batch.rows for batch in batches])[-40:]
    assert trainer.slow.rows.tolist() == latest.tolist()
    memory, codes = trainer.slow.memory(batches[-1].views, batches[-1].rows)
    own = np.tile(batches[-1].rows, 2)[:, None] == latest
    assert own.any() and memory.candidates.tolist() == (~own).tolist()
    assert memory.queue[-16:].shape == codes.quantized.flatten(1)[16:].shape


def test_moco_with_nothing_queued_is_nt_xent():
    z = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    parts = {}
    for objective in ("simclr", "moco"):
        queue = None if objective == "simclr" else torch.randn(3, 4)
        candidates = None if objective == "simclr" else torch.zeros(8, 3, dtype=torch.bool)
        memory = Memory(queue=queue, candidates=candidates)
        parts[objective] = training_loss(
            z,
            torch.full((8, 1, 4), 0.25),
            torch.eye(4)[None],
            clipping=blobs.settings(fraction=0.4).clipping,
            loss=LossConfig(objective=objective),
            memory=memory,
        )
    assert torch.equal(parts["simclr"].per_anchor, parts["moco"].per_anchor)
    assert torch.equal(parts["simclr"].clipped.mask, parts["moco"].clipped.mask[:, :8])


def test_cosines_with_more_rows_extend_those_without():
    z, more = torch.randn(6, 3), torch.randn(2, 3)
    whole = cosines(torch.cat([z, more]))
    torch.testing.assert_close(cosines(z, more), whole[:6])
    assert negatives(6).shape == (6, 6)


def test_the_predictor_depends_on_the_seed_only_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, another = predictor(4, seed=1), predictor(4, seed=1), predictor(4, seed=2)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first[0].weight, again[0].weight) and not torch.equal(first[0].weight, another[0].weight)


@pytest.mark.parametrize("predicts", [True, False])
def test_the_predictor_keeps_byol_from_bringing_images_together(predicts, monkeypatch):
    monkeypatch.setattr(module, "MOMENTUM", 0.0)  # so that 30 short epochs suffice
    trainer = blobs.trainer(settings("byol", epochs=30, entropy=0.0))
    if not predicts:
        trainer.slow.predictor = torch.nn.Identity()
    cosines = [event.values["mean_cosine"] for event in trainer.events() if event.kind == "epoch"]
    assert cosines[-1] < cosines[0] - 0.1 if predicts else cosines[-1] > cosines[0] + 0.04


def test_settings_that_contradict_each_other_are_rejected():
    with pytest.raises(InputError, match="objective"):
        LossConfig(objective="simsiam")
    with pytest.raises(InputError, match=r"loss\.name is 'hinge'.*objective"):
        LossConfig(name="hinge", objective="barlow")
    assert LossConfig(name=NT_XENT, objective="barlow").objective == "barlow"
    config = blobs.settings(rule="debiased")
    with pytest.raises(InputError, match="debiased"):
        RunConfig(clipping=config.clipping, loss=LossConfig(objective="moco"))
