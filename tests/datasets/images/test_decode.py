"""Images of all usual kinds open upright in RGB, or are refused with their name and a reason."""

import sys

import numpy as np
import pytest
from PIL import Image

from tests.image_files import bomb, encoded
from transclipped.datasets.images import decode
from transclipped.datasets.images.decode import MAX_PIXELS, WHOLE, fault, open_image, placeholder, register_heic, square
from transclipped.errors import InputError


def colours(image):
    return [image.getpixel((x, image.height // 2)) for x in (0, image.width - 1)]


def half_and_half(mode, left, right, size=(16, 8)):
    image = Image.new(mode, size, right)
    image.paste(left, (0, 0, size[0] // 2, size[1]))
    return image


def test_cmyk_becomes_rgb():
    image = open_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))
    assert image.mode == "RGB"
    red, green, blue = image.getpixel((4, 4))
    assert red > 200 > 100 > max(green, blue)


@pytest.mark.parametrize(
    "values, dtype", [([0, 32768, 65535], np.uint16), ([0, 32768, 65535], np.int32), ([0, 0.5, 1, np.nan], np.float32)]
)
def test_greyscale_is_scaled_not_clipped(values, dtype):
    opened = np.asarray(open_image(encoded(Image.fromarray(np.array([values], dtype)), "TIFF")))
    assert opened[0, :, 0].tolist() == [0, 128, 255, 0][: len(values)]


@pytest.mark.parametrize("mode, clear", [("RGBA", (255, 0, 0, 0)), ("LA", (0, 0))])
def test_transparency_becomes_white(mode, clear):
    assert open_image(encoded(Image.new(mode, (4, 4), clear))).getpixel((1, 1)) == (255, 255, 255)


def test_transparent_palette_becomes_white():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    assert open_image(encoded(image, transparency=0)).getpixel((1, 1)) == (255, 255, 255)


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise shows it upright
    image = half_and_half("RGB", (255, 0, 0), (0, 0, 255))
    opened = open_image(encoded(image, "PNG", exif=exif))
    assert opened.size == (8, 16)
    assert opened.getpixel((4, 0)) == (255, 0, 0) and opened.getpixel((4, 15)) == (0, 0, 255)


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), c) for c in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_image(data).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (10_000, 1), (1, 10_000), (3, 2)])
def test_any_shape_becomes_a_square(size):
    assert square(open_image(encoded(Image.new("RGB", size, "green"))), 32).size == (32, 32)


def test_square_is_the_middle():
    image = half_and_half("RGB", (255, 0, 0), (0, 0, 255), size=(40, 8))
    left, right = colours(square(image, 8))
    assert left[0] > 240 and right[2] > 240


def test_large_jpeg_decodes_at_reduced_size_but_not_below():
    data = encoded(Image.new("RGB", (1600, 1200), "teal"), "JPEG")
    image = open_image(data, at_least=160)
    assert 160 <= min(image.size) < 400
    assert open_image(data).size == (1600, 1200)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # pytest resets our own filter
@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty"),
        (b"hello, I am text", "supported are JPEG, PNG"),
        (encoded(Image.effect_noise((64, 64), 90), "JPEG")[:900], "damaged"),
        (encoded(Image.effect_noise((64, 64), 90), "PNG")[:900], "damaged"),
        (bomb(), "pixels"),
        (bomb(10_000, MAX_PIXELS // 10_000 + 1), "pixels"),
        (encoded(Image.new("RGB", (4, 4)), "EPS"), "supported are JPEG, PNG"),
    ],
    ids=["empty", "text", "cut jpeg", "cut png", "bomb", "small bomb", "postscript"],
)
def test_refused_with_name_and_reason(data, reason, tmp_path):
    with pytest.raises(InputError, match=rf"holiday.*{reason}"):
        open_image(data, name="holiday")
    path = tmp_path / "holiday.jpg"
    with pytest.raises(InputError, match=r"holiday\.jpg.*no such file"):
        open_image(path)
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"holiday.*{reason}"):
        open_image(path)
    assert reason in fault(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_complete_files_have_no_fault_and_truncated_ones_do(kind, tmp_path):
    data = encoded(Image.effect_noise((64, 64), 90).convert("RGB"), kind)
    path = tmp_path / "picture"
    path.write_bytes(data)
    assert fault(path) is None
    path.write_bytes(data[: len(data) * 2 // 3])
    assert fault(path) is not None


def test_jpeg_with_trailing_bytes_is_complete(tmp_path):
    path = tmp_path / "camera.jpg"
    path.write_bytes(encoded(Image.new("RGB", (16, 16)), "JPEG") + b"\0" * 5000)
    assert fault(path) is None


HEIC_START = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64


@pytest.fixture
def without_heic(monkeypatch):
    """Pillow before HEIC is registered."""
    formats = dict(Image.OPEN)
    formats.pop("HEIF", None)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    monkeypatch.setattr(Image, "OPEN", formats)
    register_heic.cache_clear()
    yield
    register_heic.cache_clear()


def test_heic_without_its_package_says_what_to_install(tmp_path, monkeypatch, without_heic):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # makes the import fail
    path = tmp_path / "phone.heic"
    path.write_bytes(HEIC_START)
    with pytest.raises(InputError, match=r"phone\.heic.*pip install pillow-heif"):
        open_image(path)
    assert "pillow-heif" in fault(path)


def test_heic_opens_upright(tmp_path, without_heic):
    turned = Image.Exif()
    turned[0x112] = 6  # the camera was held upright: turn a quarter clockwise
    path = tmp_path / "phone.heic"
    assert register_heic()
    half_and_half("RGB", "red", "blue", size=(96, 64)).save(path, "HEIF", quality=95, exif=turned.tobytes())
    assert path.read_bytes()[4:12] == HEIC_START[4:12]
    opened = open_image(path)
    assert opened.size == (64, 96) and opened.mode == "RGB"
    red, blue = opened.getpixel((32, 8)), opened.getpixel((32, 88))
    assert red[0] > 240 > 20 > max(red[1:]) and blue[2] > 240 > 20 > max(blue[:2])
    assert fault(path) is None


def test_damaged_heic_is_refused(tmp_path, without_heic):
    path = tmp_path / "phone.heic"
    register_heic()
    whole = encoded(half_and_half("RGB", "red", "blue", size=(96, 64)), "HEIF")
    path.write_bytes(whole[: len(whole) // 2])
    assert fault(path) is not None
    with pytest.raises(InputError, match=r"phone\.heic cannot be used as an image"):
        open_image(path)
    path.write_bytes(HEIC_START)
    assert fault(path) is not None


def test_photographs_beyond_the_limit_decode_at_a_fraction(tmp_path):
    """108 megapixels, as of some phones; a PNG of this size is refused."""
    large = Image.new("L", (12_000, 9_000), 200)
    large.paste(20, (0, 0, 6_000, 9_000))
    large.save(tmp_path / "phone.jpg", quality=30)
    assert fault(tmp_path / "phone.jpg") is None
    for at_least in (160, None):
        image = open_image(tmp_path / "phone.jpg", at_least=at_least)
        assert min(image.size) >= 160 and image.width * image.height <= WHOLE
        left, right = colours(image)
        assert left[0] < 40 and right[0] > 180


@pytest.mark.parametrize("kind, limit", [("PNG", MAX_PIXELS), ("WEBP", decode.MEMORY // decode.BYTES["WEBP"])])
def test_formats_that_are_decoded_whole_have_a_limit(kind, limit, monkeypatch):
    data = encoded(Image.new("RGB", (64, 64)), kind, lossless=True)
    monkeypatch.setattr(Image.Image, "width", property(lambda image: limit // 64 + 1))
    with pytest.raises(InputError, match=f"more than {limit:,} pixels"):
        open_image(data)


@pytest.mark.parametrize("mode", ["RGB", "I;16", "F", "RGBA", "P", "L"])
def test_large_images_of_any_mode_are_reduced_but_not_below(mode):
    image = Image.fromarray(np.tile(np.linspace(0, 255, 1600, dtype=np.uint8), (1200, 1)))
    image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    opened = open_image(encoded(image, "TIFF"), at_least=160)
    assert 320 <= min(opened.size) < 640
    left, right = colours(opened)
    assert left[0] < 5 and right[0] > 250


def test_a_placeholder_exists_for_any_name():
    for name in ("", "a.jpg", "写真/" * 60):
        assert placeholder(name).size == (256, 256) and placeholder(name) != placeholder("other")
