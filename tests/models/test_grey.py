"""One channel: the recipe against a naive loop, fingerprints, framing of odd files, strict batch-norm statistics."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from transclipped.cli import main
from transclipped.config import BackboneConfig, DataConfig
from transclipped.datasets import folder
from transclipped.datasets.base import ArraySet
from transclipped.datasets.images.decode import fitted, frame
from transclipped.datasets.views import render
from transclipped.errors import InputError
from transclipped.features.cache import encode, gather
from transclipped.models.backbone import Backbone, load_backbone, on_stem, set_trainable
from transclipped.models.grey import RECIPES, OneChannel
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher

WV = RECIPES["wv-net"]


class Whole(torch.nn.Module):
    """Returns its input, so that a test sees what a network would see."""

    num_features = 3 * 224 * 224

    def forward(self, x):
        return x.flatten(1)


def naive(grey: np.ndarray) -> np.ndarray:
    """The recipe of one grey image `[h, w]`, pixel by pixel, in float64: `[224, 224]`."""
    h, w = grey.shape
    top, left = (h - 450) // 2, (w - 450) // 2
    square = np.zeros((450, 450))
    for y in range(450):
        for x in range(450):
            if 0 <= y + top < h and 0 <= x + left < w:
                square[y, x] = grey[y + top, x + left] / 255
    out = np.zeros((224, 224))
    for i in range(224):
        for j in range(224):
            y, x = i * 449 / 223, j * 449 / 223
            y0, x0 = min(int(y), 448), min(int(x), 448)
            dy, dx = y - y0, x - x0
            above = square[y0, x0] * (1 - dx) + square[y0, x0 + 1] * dx
            below = square[y0 + 1, x0] * (1 - dx) + square[y0 + 1, x0 + 1] * dx
            out[i, j] = above * (1 - dy) + below * dy
    return (out - 103.486 / 255) / (56.745 / 255)


@pytest.fixture
def seen(tmp_path):
    """What a network would see of files, `[n, 3, 224, 224]`, through the folder and the encoder."""

    def look(**files):
        for name, array in files.items():
            Image.fromarray(array).save(tmp_path / name.replace("_", "."))
        images = folder.load(DataConfig(dataset="folder", data=str(tmp_path)))
        mean, std = (WV.mean,) * 3, (WV.std,) * 3
        network = OneChannel(Whole(), WV.size)
        backbone = Backbone(network, name="x", image_size=WV.frame, mean=mean, std=std, framed=True)
        rows, features = gather(encode(backbone, images, np.arange(len(images)), batch=4), width=backbone.width)
        return dict(zip(images.ids[rows].tolist(), features.reshape(-1, 3, 224, 224).astype(np.float64), strict=True))

    return look


def test_wide_and_small_images_equal_the_naive_recipe(seen):
    rng = np.random.default_rng(0)
    wide, small = (rng.integers(0, 256, size, dtype=np.uint8) for size in ((460, 501), (333, 120)))
    for name, channels in seen(wide_png=wide, small_png=small).items():
        expected = naive({"wide.png": wide, "small.png": small}[name])
        for channel in channels:
            np.testing.assert_allclose(channel, expected, atol=3e-3)  # float16


def test_sixteen_bits_missing_values_and_empty_frames(seen):
    rng = np.random.default_rng(1)
    eight = rng.integers(0, 256, (450, 450), dtype=np.uint8)
    eight[0, 0] = 255
    bordered = (eight / 255).astype(np.float32)
    bordered[:20] = np.nan
    hole = eight.copy()
    hole[:20] = 0
    zero = np.zeros((450, 450), np.uint8)
    result = seen(deep_png=eight.astype(np.uint16) * 257, bordered_tiff=bordered, zero_png=zero)
    np.testing.assert_allclose(result["deep.png"][0], naive(eight), atol=3e-3)
    np.testing.assert_allclose(result["bordered.tiff"][0], naive(hole), atol=1e-2)
    np.testing.assert_allclose(result["zero.png"], -WV.mean / WV.std, atol=3e-3)


@pytest.mark.parametrize("size", [(1, 1), (450, 450), (449, 451), (2000, 30)])
def test_a_frame_keeps_the_centre_unscaled(size):
    image = Image.new("RGB", size, (7, 8, 9))
    framed = np.asarray(frame(image, 450))
    assert framed.shape == (450, 450, 3)
    assert (framed == (7, 8, 9)).all(2).sum() == min(size[0], 450) * min(size[1], 450)


def test_colour_becomes_luma_in_three_equal_channels():
    pixels = torch.randint(0, 256, (2, 3, 450, 450), dtype=torch.uint8)
    images = render(pixels, None, size=450, mean=(WV.mean,) * 3, std=(WV.std,) * 3)
    channels = OneChannel(Whole(), 224)(images).view(2, 3, 224, 224)
    assert torch.equal(channels[:, 0], channels[:, 1]) and torch.equal(channels[:, 0], channels[:, 2])
    luma = sum(weight * images[0, i, 0, 0] for i, weight in enumerate((0.299, 0.587, 0.114)))
    assert channels[0, 0, 0, 0].item() == pytest.approx(luma.item(), abs=1e-5)


def test_grey_is_part_of_the_fingerprint_and_colour_leaves_it_as_it_was():
    plain, grey = load_backbone("efficientnet-lite0"), load_backbone("efficientnet-lite0", grey="wv-net")
    assert grey.framed and (grey.image_size, grey.width) == (450, plain.width) and not plain.framed
    sized = load_backbone("efficientnet-lite0", grey="wv-net", image_size=96)
    assert len({plain.fingerprint, grey.fingerprint, sized.fingerprint}) == 3
    assert plain.fingerprint == load_backbone(BackboneConfig(name="efficientnet-lite0", grey=None)).fingerprint
    assert on_stem(grey) is None and on_stem(plain) is not None
    x = torch.rand(1, 3, 450, 450)
    torch.testing.assert_close(sized(x), plain(sized.network.grey(x)))


@pytest.mark.parametrize(("native_size", "framed", "side"), [(None, True, 90), (32, True, 32), (None, False, 90)])
def test_an_image_is_framed_only_without_a_native_size(native_size, framed, side):
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    array = np.asarray(fitted(image, 90, native_size=native_size, framed=framed))
    assert array.shape == (side, side, 3)
    assert bool((array == 0).all(2).mean() > 0.5) == (framed and native_size is None)


def test_a_query_of_one_native_size_is_embedded_as_the_stored_one():
    pixels = np.random.default_rng(4).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    facts = {"labels": None, "class_names": (), "fingerprint": "0" * 16, "default_k": 1}
    images = ArraySet(pixels=pixels, name="x", ids=np.arange(3), **facts)
    stored = images.pixels(np.arange(3), WV.frame, framed=True).numpy()
    options = {"native_size": images.native_size, "framed": True}
    for row in range(3):
        uploaded = np.asarray(fitted(images.image(row), WV.frame, **options)).transpose(2, 0, 1)
        np.testing.assert_array_equal(uploaded, stored[row])


def test_last_n_trains_the_blocks_of_a_grey_backbone_too():
    plain, grey = load_backbone("efficientnet-lite0"), load_backbone("efficientnet-lite0", grey="wv-net")
    for mode in ("last-2", "all", "frozen"):
        assert len(set_trainable(grey, mode)) == len(set_trainable(plain, mode))
        learning = [name for name, tensor in grey.network.named_parameters() if tensor.requires_grad]
        expected = [f"network.{name}" for name, tensor in plain.network.named_parameters() if tensor.requires_grad]
        assert learning == expected and bool(learning) == (mode != "frozen")


def test_unknown_recipes_are_refused():
    with pytest.raises(InputError, match="choose one of wv-net"):
        BackboneConfig(grey="sar")
    with pytest.raises(InputError, match="grey"):
        BackboneConfig(name="identity", grey="wv-net")


@pytest.fixture(scope="module")
def resnet50():
    """State of a ResNet-50 in torchvision's names, which are timm's, with classifier."""
    torch.manual_seed(0)
    return timm.create_model("resnet50", num_classes=7).state_dict()


def saved(state, path):
    torch.save(state, path)
    return str(path)


def test_torchvisions_resnet50_loads_without_its_classifier(resnet50, tmp_path):
    from torchvision.models import resnet50 as torchvisions

    assert resnet50.keys() == torchvisions(num_classes=7).state_dict().keys()
    file = saved({**resnet50, "projector.1.running_mean": torch.zeros(3)}, tmp_path / "weights.pth")
    backbone = load_backbone("resnet50", weights=file, grey="wv-net")
    assert backbone.width == 2048 and not any(name.startswith("fc") for name, _ in backbone.network.named_parameters())
    assert torch.equal(backbone.network.network.state_dict()["bn1.running_var"], resnet50["bn1.running_var"])


@pytest.mark.parametrize("damage", ["missing", "unexpected"])
def test_missing_or_unexpected_batch_norm_statistics_are_refused(resnet50, tmp_path, damage):
    state = dict(resnet50)
    if damage == "missing":
        state = {name: tensor for name, tensor in state.items() if "running_" not in name}
        expected = "lacks batch-norm statistics, 106 tensors"
    else:
        state["layer1.0.bn9.running_mean"] = torch.zeros(64)
        expected = "has unexpected batch-norm statistics, 1 tensors such as layer1.0.bn9.running_mean"
    with pytest.raises(InputError, match=expected):
        load_backbone("resnet50", weights=saved(state, tmp_path / "weights.pth"))


def test_an_uploaded_image_is_embedded_as_the_stored_query(tmp_path, own_cache):
    rng = np.random.default_rng(2)
    (tmp_path / "images").mkdir()
    for i in range(12):
        array = rng.integers(0, 256, (440 + 9 * i, 470), dtype=np.uint8)
        Image.fromarray(array).save(tmp_path / "images" / f"{i}.png")
    flags = f"--dataset folder --data {tmp_path / 'images'} --backbone efficientnet-lite0 --grey wv-net --image-size 64"
    flags += f" --epochs 1 --batch 4 --views 2 --bits 16 --run {tmp_path / 'run'}"
    assert main(["train", *flags.split()]) == 0
    run = RunDir(tmp_path / "run")
    assert run.config.backbone.grey == "wv-net"
    searcher = Searcher(run)
    for name, stored in zip(searcher.stored.query_ids.tolist(), searcher.stored.queries, strict=True):
        embedded = searcher.embed([Image.open(tmp_path / "images" / name).convert("RGB")])[0]
        np.testing.assert_allclose(embedded, stored.astype(np.float32), atol=5e-3)
