"""The hybrid ViT: one embedding for images of any size, and the same from stored feature maps."""

import pytest
import torch

from transclipped.config import BackboneConfig
from transclipped.errors import InputError
from transclipped.models import hybrid
from transclipped.models.backbone import load_backbone
from transclipped.models.hybrid import STEM_PREFIX, STRIDE, WIDTH, OnMaps, StemMaps, freeze_stem, joined, without_stem
from transclipped.models.weights import load_tensors
from transclipped.models.zoo import BUNDLED, CNN


def images(size, n=2):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(size))


@pytest.fixture(scope="module")
def vit():
    """Random blocks over the CNN's stem."""
    torch.manual_seed(0)
    model = hybrid.hybrid_vit()
    model.load_state_dict(joined(load_tensors(BUNDLED[CNN].weights), without_stem(model.state_dict())))
    return model.eval()


@pytest.mark.parametrize("size", [64, 96, 128, 160, 224, 256])
def test_embeddings_of_any_size_are_finite_and_different(size, vit):
    with torch.inference_mode():
        z = vit(images(size))
    assert z.shape == (2, WIDTH) and torch.isfinite(z).all() and not torch.equal(z[0], z[1])


@pytest.mark.parametrize("size", [64, 96, 160])
def test_stored_maps_give_the_same_embeddings_as_images(size, vit):
    with torch.inference_mode():
        maps = StemMaps(vit.patch_embed.backbone, size)(images(size))
        assert maps.shape == (2, hybrid.CHANNELS[STRIDE] * (size // 16) ** 2)
        torch.testing.assert_close(OnMaps(vit)(maps), vit(images(size)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [64, 96, 160])
def test_early_maps_give_the_same_embeddings_as_images(size, vit):
    early = hybrid.stem(stride=hybrid.EARLY_STRIDE)
    early.load_state_dict({name: vit.patch_embed.backbone.state_dict()[name] for name in early.state_dict()})
    with torch.inference_mode():
        maps = StemMaps(early.eval(), size)(images(size))
        assert maps.shape == (2, hybrid.CHANNELS[hybrid.EARLY_STRIDE] * (size // 8) ** 2)
        torch.testing.assert_close(
            OnMaps(vit, stride=hybrid.EARLY_STRIDE)(maps), vit(images(size)), atol=1e-4, rtol=1e-4
        )


def test_stored_maps_give_the_same_cnn_embeddings_as_images():
    cnn = load_backbone(BackboneConfig(name=CNN, image_size=96)).network
    shared = hybrid.stem()
    shared.load_state_dict({name: load_tensors(BUNDLED[CNN].weights)[name] for name in shared.state_dict()})
    with torch.inference_mode():
        maps = StemMaps(shared.eval(), 96)(images(96))
        torch.testing.assert_close(hybrid.CnnOnMaps(cnn)(maps), cnn(images(96)).float(), atol=1e-3, rtol=1e-3)


def test_stored_maps_train_the_blocks_only(vit):
    freeze_stem(vit)
    trained = trained_from_maps(vit, STRIDE, size=6)
    assert trained == {name for name, _ in vit.named_parameters() if not name.startswith(STEM_PREFIX)}


def test_early_maps_train_the_last_stages_of_the_stem_except_depthwise_kernels(vit):
    freeze_stem(vit, stride=hybrid.EARLY_STRIDE)
    statistics = vit.patch_embed.backbone.blocks[4][0].bn1.running_mean.clone()
    trained = {name for name in trained_from_maps(vit, hybrid.EARLY_STRIDE, size=12) if name.startswith(STEM_PREFIX)}
    freeze_stem(vit)
    late = tuple(f"{STEM_PREFIX}blocks.{stage}." for stage in (3, 4))
    assert trained == {name for name, _ in vit.named_parameters() if name.startswith(late) and ".conv_dw." not in name}
    assert torch.equal(vit.patch_embed.backbone.blocks[4][0].bn1.running_mean, statistics)


def trained_from_maps(vit, stride, *, size):
    """Names of the parameters with a gradient."""
    for parameter in vit.parameters():
        parameter.grad = None
    maps = torch.randn(3, hybrid.CHANNELS[stride] * size**2, generator=torch.Generator().manual_seed(0)).half()
    (OnMaps(vit, stride=stride).train()(maps) * torch.randn(3, WIDTH)).sum().backward()
    vit.eval()
    return {name for name, parameter in vit.named_parameters() if parameter.grad is not None}


def test_a_batch_does_not_mix_images(vit):
    with torch.inference_mode():
        together = vit(images(96, n=4))
        torch.testing.assert_close(together[2:3], vit(images(96, n=4)[2:3]), atol=1e-4, rtol=1e-4)


def test_state_without_the_stem_is_all_that_a_file_needs(vit):
    rest = without_stem(vit.state_dict())
    assert rest and not any(name.startswith(STEM_PREFIX) for name in rest)
    assert joined(load_tensors(BUNDLED[CNN].weights), rest).keys() == vit.state_dict().keys()
    trained = {name: tensor + 1 for name, tensor in vit.state_dict().items() if name.startswith(STEM_PREFIX)}
    whole = joined(load_tensors(BUNDLED[CNN].weights), rest | trained)  # a stem in the file takes precedence
    assert all(torch.equal(whole[name], tensor) for name, tensor in trained.items())


def test_a_stem_of_another_network_is_rejected():
    with pytest.raises(InputError, match="not EfficientNet-Lite0"):
        joined({"conv.weight": torch.zeros(1)}, {})


def test_it_stays_small(vit):
    assert len(vit.blocks) == 4 and all(block.attn.num_heads == hybrid.HEADS == 4 for block in vit.blocks)
    assert all(block.mlp.fc1.out_features == 2 * WIDTH for block in vit.blocks)
    assert 2 * sum(tensor.numel() for tensor in without_stem(vit.state_dict()).values()) < 4.5e6  # bytes, as half
