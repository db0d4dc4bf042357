"""Every mode is converted to what a viewer sees, in bounded memory."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from transclipped.datasets.images import eight_bits
from transclipped.datasets.images.eight_bits import rgb, white_level


def scene(seed=0, size=(64, 48)):
    """A gradient with a few boxes; grey, floating point, up to 1."""
    rng = np.random.default_rng(seed)
    values = np.linspace(0, 1, size[0])[None] * np.linspace(0.2, 1, size[1])[:, None]
    for _ in range(4):
        x, y = rng.integers(0, 40, 2)
        values[y : y + 12, x : x + 16] = rng.random()
    return values / values.max()


@pytest.mark.parametrize(
    "dtype, white",
    [
        *((np.uint16, 2**bits - 1) for bits in (10, 12, 14, 16)),
        (np.int32, 4095),
        *((np.float32, white) for white in (4095, 1.001, 255.4, 1)),
    ],
)
def test_greyscale_of_any_depth_looks_like_that_of_eight_bits(dtype, white):
    image = np.asarray(rgb(Image.fromarray((scene() * white).astype(dtype)))).astype(int)
    assert np.abs(image[..., 0] - (scene() * 255).round()).max() <= 1 and (image[..., 0] == image[..., 2]).all()


def test_white_follows_the_depth_not_the_brightest_pixel():
    whites = {200: 255, 256: 1023, 900: 1023, 1023: 1023, 1024: 4095, 4000: 4095, 60_000: 65_535}
    assert {value: white_level(value, floating=False) for value in whites} == whites
    whites = {0.3: 1, 1.5: 1, 3.0: 255, 255.5: 255, 4100: 4095}
    assert {value: white_level(value, floating=True) for value in whites} == whites


def test_values_that_are_not_finite_are_black():
    image = Image.fromarray(np.array([[0, 0.5, np.nan, np.inf, 1]], np.float32))
    assert np.asarray(rgb(image))[0, :, 0].tolist() == [0, 128, 0, 0, 255]


def drawing(colour, kind="ellipse"):
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    getattr(ImageDraw.Draw(image), kind)([10, 10, 50, 50], fill=colour)
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_white_drawings_on_transparency_stay_visible(mode):
    def encoded(kind):
        image = drawing((255, 255, 255, 255), kind)
        if mode != "P":
            return image.convert(mode)
        flat = Image.new("P", image.size, 0)
        flat.putpalette([0, 0, 0, 255, 255, 255] + [0] * 750)
        flat.paste(1, mask=image.getchannel("A"))
        flat.info["transparency"] = 0
        return flat

    first, second = np.asarray(rgb(encoded("ellipse"))), np.asarray(rgb(encoded("rectangle")))
    assert first.max() == 255 and first.min() == 0 and (first != second).any()


def test_other_drawings_lie_on_white():
    for colour in ((200, 30, 30, 255), (0, 0, 0, 255), (0, 0, 0, 0)):
        assert rgb(drawing(colour)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("factor", [1, 3])
def test_tiles_do_not_show(mode, factor, monkeypatch):
    values = (scene(1, (100, 70)) * 255).astype(np.uint8)
    image = Image.fromarray(values)
    image = Image.fromarray(values.astype(np.uint16) * 257) if mode == "I;16" else image.convert("RGB").convert(mode)
    whole = np.asarray(rgb(image, factor=factor)).astype(int)
    assert whole.shape == (-(-70 // factor), -(-100 // factor), 3)
    monkeypatch.setattr(eight_bits, "TILE", 16)
    tiled = np.asarray(rgb(image, factor=factor)).astype(int)
    assert np.abs(tiled - whole).max() <= (60 if mode == "1" else 0)  # dithering depends on the tiles


def test_memory_of_the_largest_image_is_bounded(tmp_path):
    """A 16-bit PNG of the largest size; 2.3 GB without tiles."""
    script = """
import io, resource, sys
from PIL import Image
from transclipped.datasets.images.decode import MAX_PIXELS, open_image
side = int(MAX_PIXELS ** 0.5)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = open_image(sys.argv[1], at_least=512)
assert image.size[0] < 2048, image.size
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    path = tmp_path / "large.png"
    make = f"from PIL import Image; Image.new('I;16', (9459, 9459)).save({str(path)!r}, compress_level=1)"
    subprocess.run([sys.executable, "-c", make], check=True)
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500
