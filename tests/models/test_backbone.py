"""Backbones: bundled ones, timm's, and weights from files."""

from dataclasses import replace

import pytest
import timm
import torch

from transclipped.config import BackboneConfig
from transclipped.errors import InputError
from transclipped.models.backbone import load_backbone, on_stem, set_trainable, stem_backbone
from transclipped.models.hybrid import EARLY_STRIDE, STEM_PREFIX
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.models.zoo import BUNDLED, CNN, DISTILLED, HYBRID, PHOTOGRAPHS

SMALL = "test_vit"  # timm's tiniest transformer


@pytest.fixture(scope="module")
def cnn():
    return load_backbone(BackboneConfig(name=CNN))


def images(size=64, n=2):
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_bundled_cnn_takes_any_size_and_needs_no_network(cnn):
    assert (cnn.name, cnn.width, cnn.image_size) == (CNN, 1280, 96)
    for size in (32, 64, 97):
        with torch.inference_mode():
            result = cnn(images(size))
        assert result.shape == (2, 1280) and result.dtype == torch.float32
        assert torch.isfinite(result).all()


def test_bundled_cnn_normalises_as_it_was_trained(cnn):
    x = torch.tensor([0.0, 0.5, 1.0])
    ours = (x - torch.tensor(cnn.mean)) / torch.tensor(cnn.std)
    torch.testing.assert_close(ours, (x * 255 - 127) / 128)


def test_it_is_frozen_in_evaluation_mode_and_channels_last(cnn):
    assert not any(parameter.requires_grad for parameter in cnn.parameters())
    assert not any(module.training for module in cnn.network.modules())
    tensors = []
    hook = cnn.network.conv_stem.register_forward_hook(lambda module, x, y: tensors.extend((x[0], y)))
    with torch.inference_mode():
        cnn(images())
    hook.remove()
    assert len(tensors) == 2 and all(x.is_contiguous(memory_format=torch.channels_last) for x in tensors)
    assert cnn.network.conv_stem.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("configured", "default", "size"), [(None, None, 96), (None, 160, 160), (48, 160, 48)])
def test_size_is_the_configured_one_then_the_data_sets_then_the_models(configured, default, size):
    assert load_backbone(BackboneConfig(name=CNN, image_size=configured), default_size=default).image_size == size


def test_fingerprint_depends_on_the_weights(cnn, tmp_path):
    assert load_backbone(BackboneConfig(name=CNN, image_size=32)).fingerprint == cnn.fingerprint
    state = load_tensors(BUNDLED[CNN].weights)
    state["conv_stem.weight"] = state["conv_stem.weight"] + 0.01
    save_tensors(tmp_path / "other.safetensors", state)
    other = load_backbone(BackboneConfig(name=CNN, weights=str(tmp_path / "other.safetensors")))
    assert other.fingerprint != cnn.fingerprint


def test_timm_models_set_size_width_and_normalisation(tmp_path):
    torch.manual_seed(0)
    network = timm.create_model(SMALL, num_classes=7)
    torch.save(network.state_dict(), tmp_path / "a.pth")  # with a classifier, which is dropped
    data = timm.data.resolve_model_data_config(network)
    backbone = load_backbone(BackboneConfig(name=SMALL, weights=str(tmp_path / "a.pth")))
    assert (backbone.image_size, backbone.mean, backbone.std) == (data["input_size"][-1], data["mean"], data["std"])
    assert backbone.width == network.num_features
    x = images(backbone.image_size)
    with torch.inference_mode():
        expected = network.eval().forward_head(network.forward_features(x), pre_logits=True)
        torch.testing.assert_close(backbone(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("efficientnet-lite", CNN), ("vit_tiny_patch16_22", "vit_tiny_patch16_224"), ("zzzzzz", f"bundled are {CNN}")],
)
def test_errors_for_unknown_names_suggest_similar_ones(name, hint):
    with pytest.raises(InputError, match=rf"'{name}'; .*{hint}"):
        load_backbone(BackboneConfig(name=name))


def test_unknown_weights_of_a_timm_model_are_named():
    with pytest.raises(InputError, match=rf"{SMALL} .*'nonsense'") as caught:
        load_backbone(BackboneConfig(name=f"{SMALL}.nonsense"))
    assert caught.value.setting == "backbone.name"


def test_error_for_unreachable_weights_lists_the_bundled_models(monkeypatch):
    def unreachable(name, **options):
        raise OSError("We couldn't connect to the hub\nand a long trace")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(InputError, match=rf"cannot be fetched.*{CNN}") as caught:
        load_backbone(BackboneConfig(name=SMALL))
    assert "\n" not in str(caught.value)


def test_weights_that_do_not_fit_are_rejected(tmp_path):
    state = load_tensors(BUNDLED[CNN].weights)
    wrong = {
        "lacks 1 of": {name: tensor for name, tensor in state.items() if name != "conv_stem.weight"},
        r"conv_stem\.weight of shape \[1, 3, 3, 3\]": {**state, "conv_stem.weight": torch.zeros(1, 3, 3, 3)},
        "lacks .* tensors": {"weight": torch.zeros(1)},
    }
    for message, tensors in wrong.items():
        save_tensors(tmp_path / "wrong.safetensors", tensors)
        with pytest.raises(InputError, match=rf"wrong\.safetensors.*{message}.*another model"):
            load_backbone(BackboneConfig(name=CNN, weights=str(tmp_path / "wrong.safetensors")))
    whole = (BUNDLED[CNN].weights).read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.safetensors is damaged"):
        load_backbone(BackboneConfig(name=CNN, weights=str(tmp_path / "half.safetensors")))
    with pytest.raises(InputError, match="does not exist"):
        load_backbone(BackboneConfig(name=CNN, weights=str(tmp_path / "none.safetensors")))


@pytest.mark.parametrize("kept", ["patch_embed", "nothing"])
def test_a_file_that_does_not_fill_a_timm_model_is_rejected(kept, tmp_path):
    """timm itself would load what fits and leave the rest random."""
    state = {name: tensor for name, tensor in timm.create_model(SMALL).state_dict().items() if kept in name}
    save_tensors(tmp_path / "wrong.safetensors", state | timm.create_model("test_resnet").state_dict())
    with pytest.raises(InputError, match=r"wrong\.safetensors lacks"):
        load_backbone(BackboneConfig(name=SMALL, weights=str(tmp_path / "wrong.safetensors")))


def learning(backbone):
    return {name for name, parameter in backbone.network.named_parameters() if parameter.requires_grad}


def test_last_n_trains_more_blocks_for_larger_n():
    backbone = load_backbone(BackboneConfig(name=CNN, image_size=32))
    everything = {name for name, _ in backbone.network.named_parameters()}
    assert set_trainable(backbone, "frozen") == []
    before = set()
    for n in (1, 2, 3):
        trained = set_trainable(backbone, f"last-{n}")
        now = learning(backbone)
        assert before < now < everything and len(trained) == len(now)
        before = now
    assert "conv_head.weight" in before and "conv_stem.weight" not in before
    set_trainable(backbone, "all")
    assert learning(backbone) == everything
    set_trainable(backbone, "frozen")
    assert not learning(backbone)


def test_more_blocks_than_the_model_has_are_rejected(cnn):
    with pytest.raises(InputError, match=r"last-99.*choose last-\d+"):
        set_trainable(cnn, "last-99")


@pytest.mark.parametrize("wrong", [{"image_size": 16}, {"train": "some"}, {"train": "last-0"}, {"train": "last-two"}])
def test_invalid_settings_are_rejected(wrong):
    with pytest.raises(InputError, match=r"image_size is 16; choose 32|last-N"):
        BackboneConfig(**wrong)


def test_cnn_shares_its_stem_unless_it_was_trained():
    backbone = load_backbone(BackboneConfig(name=CNN, image_size=64))
    shared, rest = on_stem(backbone)
    with torch.inference_mode():
        torch.testing.assert_close(rest(shared(images())), backbone(images()), atol=1e-3, rtol=1e-3)
    assert shared.fingerprint == stem_backbone(64).fingerprint
    with torch.no_grad():
        backbone.network.conv_stem.weight.add_(0.01)
    assert on_stem(backbone) is None


def test_a_hybrid_that_trained_the_last_stages_of_its_stem_shares_the_first():
    backbone = load_backbone(BackboneConfig(name=DISTILLED, image_size=64))
    with torch.no_grad():
        backbone.network.patch_embed.backbone.blocks[3][0].conv_pw.weight.mul_(1.01)
    shared, rest = on_stem(backbone)
    assert shared.fingerprint == stem_backbone(64, stride=EARLY_STRIDE).fingerprint != stem_backbone(64).fingerprint
    with torch.inference_mode():
        torch.testing.assert_close(rest(shared(images())), backbone(images()), atol=1e-3, rtol=1e-3)
    with torch.no_grad():
        backbone.network.patch_embed.backbone.blocks[2][0].conv_pw.weight.mul_(1.01)
    assert on_stem(backbone) is None


def test_trained_stem_is_rejected_beside_the_cnn(tmp_path):
    name = f"{STEM_PREFIX}blocks.4.0.conv_pw.weight"
    trained = load_backbone(BackboneConfig(name=DISTILLED)).network.state_dict()[name] * 1.01
    save_tensors(tmp_path / "a.safetensors", load_tensors(BUNDLED[DISTILLED].weights) | {name: trained})
    config = BackboneConfig(name=PHOTOGRAPHS, weights=str(tmp_path / "a.safetensors"))
    with pytest.raises(InputError, match="trained stem"):
        load_backbone(config)
    assert torch.equal(load_backbone(replace(config, name=HYBRID)).network.state_dict()[name], trained)


def test_timm_models_share_no_stem(tmp_path):
    save_tensors(tmp_path / "a.safetensors", timm.create_model(SMALL).state_dict())
    assert on_stem(load_backbone(BackboneConfig(name=SMALL, weights=str(tmp_path / "a.safetensors")))) is None


def prefixed(prefix, state):
    return {f"{prefix}.{name}": tensor for name, tensor in state.items()}


def zeros(state):
    return {name: torch.zeros_like(tensor) for name, tensor in state.items()}


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: prefixed("module", state),
        lambda state: {"state_dict": prefixed("model.backbone", state)},
        lambda state: {"epoch": 3, "model": prefixed("encoder", state) | {"head.w": torch.ones(1)}},
        lambda state: {
            "student": prefixed("module.backbone", zeros(state)),
            "teacher": prefixed("backbone", state),
            "optimizer": {"lr": 0.1},
        },
        lambda state: prefixed("student", zeros(state)) | prefixed("teacher", state),
    ],
    ids=["module", "state_dict", "model", "teacher", "both"],
)
@pytest.mark.parametrize("name", ["efficientnet-lite0", "vit_tiny_patch16_224"])
def test_prefixes_added_by_training_are_removed(wrapped, name, tmp_path):
    torch.manual_seed(1)
    network = timm.create_model("efficientnet_lite0" if "-" in name else name, num_classes=0)
    state = {name: t + 0.5 if t.is_floating_point() else t for name, t in network.state_dict().items()}
    torch.save(wrapped(state), tmp_path / "w.pth")
    backbone = load_backbone(BackboneConfig(name=name, weights=str(tmp_path / "w.pth")))
    assert all(torch.equal(tensor, state[name]) for name, tensor in backbone.network.state_dict().items())


def test_error_for_an_unsupported_size_names_the_default(tmp_path):
    network = timm.create_model("mixer_s32_224", num_classes=0)
    save_tensors(tmp_path / "w.safetensors", network.state_dict())
    config = BackboneConfig(name="mixer_s32_224", weights=str(tmp_path / "w.safetensors"))
    assert load_backbone(config).image_size == 224
    with pytest.raises(InputError, match=r"100 pixels.*224"):
        load_backbone(replace(config, image_size=100))
