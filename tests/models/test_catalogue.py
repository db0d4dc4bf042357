"""The list of backbones agrees with networks, weights and pooling, without internet access."""

import json

import huggingface_hub
import pytest
import timm
import torch

from transclipped.cli import main
from transclipped.config import BackboneConfig
from transclipped.errors import InputError
from transclipped.models import catalogue, hub
from transclipped.models.backbone import load_backbone
from transclipped.models.weights import save_tensors
from transclipped.models.zoo import BUNDLED

TINY = "vit_tiny_patch16_224"


@pytest.fixture(scope="module")
def listed():
    return {entry.name: entry for entry in catalogue.entries()}


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return timm.create_model(TINY, num_classes=10).eval()


@pytest.fixture(scope="module")
def weights(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_tensors(path, tiny.state_dict())
    return str(path)


def test_list_covers_all_kinds_and_families(listed):
    assert {entry.kind for entry in listed.values()} >= {"supervised", "DINO", "DINOv2", "DINOv3", "CLIP", "MAE"}
    assert {entry.family for entry in listed.values()} == {"ViT", "CNN"}
    assert set(BUNDLED) <= set(listed)


def test_entry_agrees_with_the_network(listed):
    network = timm.create_model(TINY, num_classes=0)
    entry = listed[f"{TINY}.augreg_in21k"]
    assert entry.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert (entry.width, entry.image_size, entry.pool, entry.pools) == (192, 224, "token", ("token", "avg"))
    cnn = listed["resnet50.a1_in1k"]
    assert (cnn.width, cnn.family, cnn.pools) == (2048, "CNN", ("avg",))


def test_kind_follows_from_the_name():
    for name in ("hiera_tiny_224.mae_in1k_ft_in1k", "vit_base_patch16_clip_224.openai_ft_in1k", "resnet18.a1_in1k"):
        assert catalogue.kind_of(name) == "supervised"
    assert catalogue.kind_of("vit_base_patch16_224.mae") == "MAE"
    assert catalogue.kind_of("vit_small_patch16_dinov3.lvd1689m") == "DINOv3"
    assert catalogue.kind_of("vit_base_patch16_clip_224.openai") == "CLIP"


def test_a_word_searches_all_of_timm():
    names = [entry.name for entry in catalogue.entries("patch8_224.dino")]
    assert names == sorted(n for n in timm.list_models(pretrained=True) if "patch8_224.dino" in n) and names


def test_weights_are_searched_in_the_caches_of_torch_and_the_hub(tmp_path, monkeypatch):
    config = timm.get_pretrained_cfg("vit_small_patch16_224.dino")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert hub.cached_file(config) is None
    file = tmp_path / "checkpoints" / config.url.rpartition("/")[2]
    file.parent.mkdir()
    file.touch()
    assert hub.cached_file(config) == file
    cache = {"model.safetensors": str(file)}
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repo, name: cache.get(name))
    assert hub.cached_file(timm.get_pretrained_cfg("vit_tiny_patch16_224.augreg_in21k")) == file


def test_pooling_is_the_token_or_the_mean_of_normed_patches(tiny, weights):
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    by = {pool: load_backbone(BackboneConfig(name=TINY, weights=weights, pool=pool)) for pool in (None, "token", "avg")}
    with torch.inference_mode():
        tokens = tiny.forward_features(x)  # [2, 197, 192], after the last norm
        torch.testing.assert_close(by["token"](x), tokens[:, 0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(by["avg"](x), tokens[:, 1:].mean(1), atol=1e-4, rtol=1e-4)
    assert by[None].fingerprint == by["token"].fingerprint != by["avg"].fingerprint  # or caches would mix


def test_weights_by_file_fit_another_size(weights, tiny):
    small = load_backbone(BackboneConfig(name=TINY, weights=weights, image_size=96))
    assert small.network.pos_embed.shape[1] == 37
    torch.testing.assert_close(small.network.cls_token, tiny.cls_token)
    assert small(torch.zeros(1, 3, 96, 96)).shape == (1, 192)


def test_weights_of_another_model_are_rejected(weights):
    for name in ("vit_small_patch16_224", "resnet18"):
        with pytest.raises(InputError, match="another model"):
            load_backbone(BackboneConfig(name=name, weights=weights))


@pytest.mark.parametrize("name", ["resnet18", "efficientnet-lite0"])
def test_token_pooling_is_rejected_for_networks_without_a_token(name, tmp_path):
    network = timm.create_model("resnet18", num_classes=0)
    save_tensors(tmp_path / "w.safetensors", network.state_dict())
    file = str(tmp_path / "w.safetensors") if name == "resnet18" else None
    with pytest.raises(InputError, match="class token"):
        load_backbone(BackboneConfig(name=name, weights=file, pool="token"))
    assert load_backbone(BackboneConfig(name=name, weights=file, pool="avg")).width in (512, 1280)
    with pytest.raises(InputError, match=r"backbone\.pool"):
        BackboneConfig(name=name, pool="max")


def test_command_lists_backbones_and_explains_weights(capsys):
    assert main(["backbones"]) == 0
    output = capsys.readouterr().out
    assert "DINOv2" in output and "--weights FILE" in output and "bundled" in output
    assert main(["backbones", "efficientnet-lite0", "--measure", "--json"]) == 0
    [line] = json.loads(capsys.readouterr().out)
    assert line["available"] == "bundled" and line["pictures_per_s"] > 0
    assert main(["backbones", "no such thing"]) == 2
