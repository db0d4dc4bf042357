"""Views: correct geometry and colours, independent of the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from transclipped.datasets.views import FIELDS, PLAIN, random_parameters, render, view_parameters

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IDENTITY = {"mean": (0, 0, 0), "std": (1, 1, 1)}


def noise(n=4, s=32, seed=0):
    return torch.randint(0, 256, (n, 3, s, s), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def parameters(n=1, **changes):
    rows = np.tile(PLAIN, (n, 1))
    for name, value in changes.items():
        rows[:, FIELDS.index(name)] = value
    return rows


@pytest.mark.parametrize("source, size", [(32, 96), (160, 96), (160, 160), (32, 33)])
def test_plain_view_equals_resize_and_normalise_of_torchvision(source, size):
    pixels = noise(s=source)
    resized = tv.resize(pixels.float() / 255, [size, size], tv.InterpolationMode.BICUBIC, antialias=True)
    expected = tv.normalize(resized.clamp(0, 1), MEAN, STD)
    torch.testing.assert_close(render(pixels, None, size=size, mean=MEAN, std=STD), expected, atol=1e-5, rtol=0)


def test_view_zero_is_plain_and_view_one_its_mirror():
    pixels = noise()
    plain = render(pixels, None, size=48, mean=MEAN, std=STD)
    zero, one = (render(pixels, view_parameters(4, view=v, seed=3), size=48, mean=MEAN, std=STD) for v in (0, 1))
    torch.testing.assert_close(zero, plain, atol=1e-5, rtol=0)
    torch.testing.assert_close(one, plain.flip(3), atol=1e-5, rtol=0)


def test_crop_of_a_gradient_shows_the_cropped_range():
    """Cubic interpolation keeps straight lines, so the crop [¼, ¾] of x ↦ x shows x = ¼ … ¾."""
    ramp = torch.arange(0, 256, 4, dtype=torch.uint8).expand(1, 3, 64, 64).contiguous()
    views = render(ramp, parameters(left=0.25, width=0.5, top=0.1, height=0.3), size=64, **IDENTITY)[0, 0, 10] * 255
    source = (0.25 + (torch.arange(64) + 0.5) / 64 * 0.5) * 64 - 0.5  # pixel that each output pixel looks at
    torch.testing.assert_close(views, source * 4, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["brightness", "saturation", "contrast"])
def test_colour_changes_equal_those_of_torchvision(name):
    adjust = getattr(tv, f"adjust_{name}")
    pixels = noise(s=16)
    views = render(pixels, parameters(4, jittered=1, **{name: 0.7}), size=16, **IDENTITY)
    torch.testing.assert_close(views, adjust(pixels.float() / 255, 0.7), atol=2e-3, rtol=0)  # luma weights rounded


def test_grey_view_has_equal_channels_and_keeps_luma():
    pixels = noise(s=16)
    views = render(pixels, parameters(4, jittered=1, grey=1), size=16, **IDENTITY)
    luma = (pixels.float() / 255 * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    for channel in range(3):
        torch.testing.assert_close(views[:, channel], luma, atol=5e-3, rtol=0)


def test_hue_turns_colours_but_not_grey():
    grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
    turned = render(grey, parameters(jittered=1, hue=0.05), size=8, **IDENTITY) * 255
    torch.testing.assert_close(turned, grey.float(), atol=0.5, rtol=0)
    red = grey.clone()
    red[:, 0] = 200
    turned = render(red, parameters(jittered=1, hue=0.05), size=8, **IDENTITY)[0, :, 0, 0]
    assert (turned[1] - turned[2]).abs() > 0.05


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 2**32))
def test_a_view_does_not_depend_on_the_batch(n, view, seed):
    many, pixels = view_parameters(8, view=view, seed=seed), noise(8)
    assert np.array_equal(many[:n], view_parameters(n, view=view, seed=seed))
    together = render(pixels, many, size=40, mean=MEAN, std=STD)
    alone = render(pixels[n : n + 1], many[n : n + 1], size=40, mean=MEAN, std=STD)
    torch.testing.assert_close(together[n : n + 1], alone, atol=1e-5, rtol=1e-5)


def test_views_and_seeds_differ():
    two = view_parameters(100, view=2, seed=0)
    assert not np.array_equal(two, view_parameters(100, view=3, seed=0))
    assert not np.array_equal(two, view_parameters(100, view=2, seed=1))
    assert len(np.unique(two, axis=0)) == 100


def test_first_view_is_the_same_on_every_machine():
    row = dict(zip(FIELDS, view_parameters(1, view=2, seed=0)[0].tolist(), strict=True))
    golden = {"left": 0, "top": 0.117445, "width": 1, "height": 0.809724, "flip": 0, "brightness": 0.913257}
    golden |= {"contrast": 0.683923, "saturation": 1.012553, "hue": 0.046259, "grey": 0, "jittered": 1}
    assert row == pytest.approx(golden, abs=1e-6)  # golden values; a change invalidates every cache


@pytest.mark.parametrize("cached", [True, False])
def test_augmented_parameters_keep_their_ranges(cached):
    rng = np.random.default_rng(0)
    rows = view_parameters(4000, view=2, seed=0) if cached else random_parameters(4000, generator=rng)
    column = dict(zip(FIELDS, rows.T, strict=True))
    assert (column["left"] >= 0).all() and (column["left"] + column["width"] <= 1 + 1e-6).all()
    assert (column["top"] >= 0).all() and (column["top"] + column["height"] <= 1 + 1e-6).all()
    area = column["width"] * column["height"]
    assert area.min() > 0.43 and area.max() <= 1  # wide crops of a large area are clipped at the edge
    assert abs(column["flip"].mean() - 0.5) < 0.05 and abs(column["grey"].mean() - 0.2) < 0.03
    for name in ("brightness", "contrast", "saturation"):
        assert column[name].min() >= 0.6 - 1e-6 and column[name].max() <= 1.4 + 1e-6


def test_output_stays_in_the_range_of_colours():
    pixels = (noise(8) > 127).to(torch.uint8) * 255  # hard edges, where the kernel overshoots
    views = render(pixels, view_parameters(8, view=2, seed=0), size=96, **IDENTITY)
    assert views.dtype == torch.float32 and views.shape == (8, 3, 96, 96)
    assert views.min() >= 0 and views.max() <= 1


def test_autocast_does_not_affect_the_pixels():
    pixels = noise()
    with torch.autocast("cpu", torch.bfloat16):
        inside = render(pixels, view_parameters(4, view=2, seed=0), size=48, mean=MEAN, std=STD)
    outside = render(pixels, view_parameters(4, view=2, seed=0), size=48, mean=MEAN, std=STD)
    assert torch.equal(inside, outside)


def test_empty_batch():
    assert render(noise(0), None, size=8, **IDENTITY).shape == (0, 3, 8, 8)
    assert render(noise(0), parameters(0), size=8, **IDENTITY).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    "pixels, rows", [(torch.zeros(2, 3, 8, 8), None), (noise(2), parameters(3)), (noise(2)[0], None)]
)
def test_wrong_shapes_are_refused(pixels, rows):
    with pytest.raises(ValueError, match="need"):
        render(pixels, rows, size=8, **IDENTITY)
