"""The hybrid ViT: every size in, one embedding out, and the same from stored feature maps."""

import pytest
import torch

from transclipped.config import BackboneConfig
from transclipped.errors import InputError
from transclipped.models.backbone import load_backbone
from transclipped.models.hybrid import (
    CHANNELS,
    EARLY_STRIDE,
    HEADS,
    STEM_PREFIX,
    STRIDE,
    WIDTH,
    CnnOnMaps,
    OnMaps,
    StemMaps,
    freeze_stem,
    hybrid_vit,
    joined,
    stem,
    without_stem,
)
from transclipped.models.weights import load_tensors
from transclipped.models.zoo import BUNDLED, CNN


def images(size, n=2):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(size))


@pytest.fixture(scope="module")
def vit():
    """Random blocks over the CNN's own stem."""
    torch.manual_seed(0)
    model = hybrid_vit()
    model.load_state_dict(joined(load_tensors(BUNDLED[CNN].weights), without_stem(model.state_dict())))
    return model.eval()


@pytest.mark.parametrize("size", [64, 96, 128, 160, 224, 256])
def test_any_size_gives_one_finite_embedding_an_image(size, vit):
    with torch.inference_mode():
        found = vit(images(size))
    assert found.shape == (2, WIDTH)
    assert torch.isfinite(found).all()
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("size", [64, 96, 160])
def test_stored_maps_give_what_images_give(size, vit):
    with torch.inference_mode():
        maps = StemMaps(vit.patch_embed.backbone, size)(images(size))
        assert maps.shape == (2, CHANNELS[STRIDE] * (size // 16) ** 2)
        torch.testing.assert_close(OnMaps(vit)(maps), vit(images(size)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [64, 96, 160])
def test_maps_of_the_first_stages_give_what_images_give(size, vit):
    early = stem(stride=EARLY_STRIDE)
    early.load_state_dict({name: vit.patch_embed.backbone.state_dict()[name] for name in early.state_dict()})
    with torch.inference_mode():
        maps = StemMaps(early.eval(), size)(images(size))
        assert maps.shape == (2, CHANNELS[EARLY_STRIDE] * (size // 8) ** 2)
        torch.testing.assert_close(OnMaps(vit, stride=EARLY_STRIDE)(maps), vit(images(size)), atol=1e-4, rtol=1e-4)


def test_stored_maps_give_what_images_give_the_cnn():
    cnn = load_backbone(BackboneConfig(name=CNN, image_size=96)).network
    shared = stem()
    shared.load_state_dict({name: load_tensors(BUNDLED[CNN].weights)[name] for name in shared.state_dict()})
    with torch.inference_mode():
        maps = StemMaps(shared.eval(), 96)(images(96))
        torch.testing.assert_close(CnnOnMaps(cnn)(maps), cnn(images(96)).float(), atol=1e-3, rtol=1e-3)


def test_maps_train_the_blocks_and_leave_the_stem(vit):
    freeze_stem(vit)
    learnt = learns_from_maps(vit, STRIDE, size=6)
    assert learnt == {name for name, _ in vit.named_parameters() if not name.startswith(STEM_PREFIX)}


def test_early_maps_train_the_last_stages_of_the_stem_but_their_depthwise_kernels(vit):
    freeze_stem(vit, stride=EARLY_STRIDE)
    statistics = vit.patch_embed.backbone.blocks[4][0].bn1.running_mean.clone()
    learnt = {name for name in learns_from_maps(vit, EARLY_STRIDE, size=12) if name.startswith(STEM_PREFIX)}
    freeze_stem(vit)
    late = tuple(f"{STEM_PREFIX}blocks.{stage}." for stage in (3, 4))
    assert learnt == {name for name, _ in vit.named_parameters() if name.startswith(late) and ".conv_dw." not in name}
    assert torch.equal(vit.patch_embed.backbone.blocks[4][0].bn1.running_mean, statistics)


def learns_from_maps(vit, stride, *, size):
    """Names of the parameters that get a gradient."""
    for parameter in vit.parameters():
        parameter.grad = None
    maps = torch.randn(3, CHANNELS[stride] * size**2, generator=torch.Generator().manual_seed(0)).half()
    (OnMaps(vit, stride=stride).train()(maps) * torch.randn(3, WIDTH)).sum().backward()
    vit.eval()
    return {name for name, parameter in vit.named_parameters() if parameter.grad is not None}


def test_a_batch_does_not_mix_images(vit):
    with torch.inference_mode():
        together = vit(images(96, n=4))
        torch.testing.assert_close(together[2:3], vit(images(96, n=4)[2:3]), atol=1e-4, rtol=1e-4)


def test_state_without_the_stem_is_all_that_a_file_needs(vit):
    own = without_stem(vit.state_dict())
    assert own
    assert not any(name.startswith(STEM_PREFIX) for name in own)
    whole = joined(load_tensors(BUNDLED[CNN].weights), own)
    assert whole.keys() == vit.state_dict().keys()
    trained = {name: tensor + 1 for name, tensor in vit.state_dict().items() if name.startswith(STEM_PREFIX)}
    whole = joined(load_tensors(BUNDLED[CNN].weights), own | trained)  # a stem of its own comes first
    assert all(torch.equal(whole[name], tensor) for name, tensor in trained.items())


def test_a_stem_of_another_network_is_refused():
    with pytest.raises(InputError, match=r"lacks .*it is not EfficientNet-Lite0"):
        joined({"conv.weight": torch.zeros(1)}, {})


def test_it_stays_small(vit):
    assert len(vit.blocks) == 4
    assert all(block.attn.num_heads == HEADS == 4 for block in vit.blocks)
    assert all(block.mlp.fc1.out_features == 2 * WIDTH for block in vit.blocks)
    assert 2 * sum(tensor.numel() for tensor in without_stem(vit.state_dict()).values()) < 4.5e6  # bytes, as half
