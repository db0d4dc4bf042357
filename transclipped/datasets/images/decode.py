"""Opens images of any origin: JPEG, PNG, WebP, TIFF, …; CMYK, 16 bits, transparent, rotated.

The result is always an upright 8-bit RGB image of at most `WHOLE` pixels, or an `InputError` with the file's name.
Only common formats are read (`FORMATS`), since every decoder is an attack surface. HEIC, the format of many phones,
needs the optional package pillow-heif; AVIF comes with Pillow.

An image takes up to about 500 MB, and large images are opened one at a time: they are reduced during conversion, and
JPEGs during decoding, so that photographs of 200 megapixels open too.
"""

from __future__ import annotations

import base64
import io
import math
import os
import threading
import warnings
from contextlib import nullcontext
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw

from transclipped.datasets.images import jpeg_end
from transclipped.datasets.images.eight_bits import rgb
from transclipped.errors import InputError

MAX_PIXELS = 89_478_485  # of an image that must be decoded whole; from here on Pillow suspects a decompression bomb
MAX_JPEG = 500_000_000  # pixels of a JPEG, which can be decoded at a half, quarter or eighth of its size
MEMORY = 450_000_000  # bytes that decoding an image may take
BYTES = {"WEBP": 16, "AVIF": 9, "HEIF": 9, "JPEG2000": 20}  # per pixel, measured, of decoders that take more than 4
WHOLE = 1 << 24  # most pixels of a returned image
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
HEIC = "HEIF"  # needs pillow-heif
READ = "JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, JPEG 2000, AVIF and HEIC"
JPEGS = ("JPEG", "MPO")
BROWSER_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")  # bytes 8-11, after "ftyp"
HEIC_ADVICE = "HEIC needs the package pillow-heif: `pip install pillow-heif`, or save it as JPEG"
ORIENTATION = 0x0112  # tag of Exif
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.MAX_IMAGE_PIXELS = MAX_JPEG // 2  # Pillow refuses twice as many and warns in between; `_refuse` checks the rest
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

_large = threading.RLock()  # one large image at a time, however many threads decode


class Unusable(InputError):
    """An image that cannot be decoded: `reason` without its name; `lasting` unless the same file may open later."""

    def __init__(self, name: str, reason: str, *, lasting: bool) -> None:
        super().__init__(f"{name} cannot be used as an image: {reason}")
        self.reason, self.lasting = reason, lasting


def open_image(
    source: bytes | str | os.PathLike, *, name: str | None = None, at_least: int | None = None
) -> Image.Image:
    """Upright RGB image, transparent parts on white or black; the first frame of an animation.

    Args:
        source: encoded bytes, or a path.
        name: for messages, None for the path.
        at_least: sufficient pixels of the shorter side; larger images are reduced while they are decoded.

    Raises:
        Unusable: it is missing, empty, damaged, too large or not an image.
    """
    name = name or ("the image" if isinstance(source, bytes) else str(source))
    try:
        return _opened(source, at_least)
    except Exception as error:  # Pillow's plugins raise any exception for a damaged file
        lasting = not isinstance(error, MemoryError) and getattr(error, "errno", None) is None
        raise Unusable(name, _reason(error, source), lasting=lasting) from error


def header(source: bytes | str | os.PathLike) -> Image.Image:
    """Context manager for format, mode and size without decoding; OSError if it is not in `FORMATS`."""
    register_heic()
    Image.init()
    formats = tuple(name for name in (*FORMATS, HEIC) if name in Image.OPEN)
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats)


def browser_shows(image: Image.Image) -> bool:
    """Whether a browser displays a file as `open_image` does; `image` is its `header`."""
    eight = not image.mode.startswith(("I", "F")) and image.mode != "CMYK"
    return eight and image.format in BROWSER_FORMATS and not image.has_transparency_data


def placeholder(name: str, *, side: int = 256) -> Image.Image:
    """Stand-in for an image that cannot be read, with its name."""
    image = Image.new("RGB", (side, side), (224, 224, 224))
    text = name.encode("ascii", "replace").decode()
    lines = ["cannot be read:", *(text[start : start + 26] for start in range(0, min(len(text), 130), 26))]
    style = {"fill": (96, 96, 96), "anchor": "mm", "align": "center", "font_size": max(8, side // 16)}
    ImageDraw.Draw(image).multiline_text((side // 2, side // 2), "\n".join(lines), **style)
    return image


def fault(path: Path) -> str | None:
    """Why a file is not a complete image, None if it seems to be one; mostly without decoding.

    All headers are read; PNG checksums, the length of a WebP and the end marker of a JPEG reveal truncated files.
    Doubtful files and rarer formats are decoded. Other damage shows when the image is used.
    """
    try:
        with header(path) as image:
            _refuse(image)
            if image.format == "PNG":
                image.verify()
                return None
            ends = image.format in (*JPEGS, "WEBP") and _ends_well(path, image.format)
        if not ends:
            _opened(path, 1)
    except Exception as error:
        return _reason(error, path)
    return None


def square(image: Image.Image, size: int) -> Image.Image:
    """Centre square, resized to `size` pixels per side."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)  # cropped while resizing: 10,000 × 1 would become 1,600,000 × 160
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def frame(image: Image.Image, size: int) -> Image.Image:
    """An image padded with black or cut to `size` pixels per side around its centre, not scaled."""
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))  # outside the image, Pillow fills with zeros


def fitted(image: Image.Image, size: int, *, native_size: int | None, framed: bool) -> Image.Image:
    """An image as those of a data set reach a network: framed to `size`, or its centre square, resized.

    Images of one native size are never framed: the square has this size, and is scaled to `size` on the way.
    """
    return frame(image, size) if framed and native_size is None else square(image, native_size or size)


def to_png(image: Image.Image) -> bytes:
    """PNG file of an image."""
    return _encoded(image, "PNG")


def to_jpeg(image: Image.Image, *, quality: int = 88) -> bytes:
    """JPEG file of an image."""
    return _encoded(image, "JPEG", quality=quality)


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def data_url(image: Image.Image, *, exact: bool = True) -> str:
    """An image as a data URL for HTML: PNG, or JPEG if its pixels need not be exact."""
    return data_address(to_png(image), "image/png") if exact else data_address(to_jpeg(image), "image/jpeg")


def data_address(file: bytes, kind: str) -> str:
    """A file of MIME type `kind` as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(file).decode()}"


@cache
def register_heic() -> bool:
    """Register pillow-heif with Pillow, once; False if it is not installed or does not work."""
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except Exception:  # not installed, or broken, which must not affect JPEGs
        return False
    return True


class _TooLarge(Exception):
    """More pixels than its argument, the limit."""


def _opened(source: bytes | str | os.PathLike, at_least: int | None) -> Image.Image:
    with header(source) as image:
        _refuse(image)
        if image.format in JPEGS:
            scale = _scale(image.size, at_least, choices=(1, 2, 4, 8))
            image.draft(None, (image.width // scale, image.height // scale))
        with _large if image.width * image.height > WHOLE else nullcontext():
            try:
                image.load()
            except OSError:
                if image.format not in JPEGS or (whole := _completed(source)) is None:
                    raise
                return _opened(whole, at_least)
            turn = _turn(image)
            # Cubic resizing follows, so twice the needed size is left.
            upright = rgb(image, factor=_scale(image.size, None if at_least is None else 2 * at_least))
        return upright if turn is None else upright.transpose(turn)


def _scale(size: tuple[int, int], at_least: int | None, *, choices: tuple[int, ...] | None = None) -> int:
    """Divisor of the sides that leaves `at_least` pixels of the shorter one, and at most `WHOLE` pixels."""
    needed = math.ceil(math.sqrt(size[0] * size[1] / WHOLE))
    possible = max(needed, 1 if at_least is None else min(size) // at_least)
    return possible if choices is None else max(choice for choice in choices if choice <= max(1, possible))


def _refuse(image: Image.Image) -> None:
    if image.format not in JPEGS:
        most = min(MAX_PIXELS, MEMORY // BYTES.get(image.format, 4))
    elif image.info.get("progressive"):  # holds all coefficients, 2 bytes each, at any decoded size
        sampling = [horizontal * vertical for _, horizontal, vertical, _ in image.layer]
        most = int(MEMORY / 2 * max(sampling) / sum(sampling))
    else:
        most = MAX_JPEG
    if image.width * image.height > most:
        raise _TooLarge(most)


def _completed(source: bytes | str | os.PathLike) -> bytes | None:
    """A JPEG with its missing end marker added; None if more is missing."""
    raw = source if isinstance(source, bytes) else Path(source).read_bytes()

    def decode(file: bytes) -> bytes:
        with header(file) as image:
            scale = _scale(image.size, None, choices=(1, 2, 4, 8))
            image.draft(None, (image.width // scale, image.height // scale))
            return image.tobytes()

    return jpeg_end.completed(raw, decode)


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged Exif does not make the pixels unusable
        return None


def _reason(error: Exception, source: bytes | str | os.PathLike) -> str:
    if isinstance(error, (_TooLarge, Image.DecompressionBombError)):
        most = error.args[0] if isinstance(error, _TooLarge) else MAX_JPEG
        return f"it has more than {most:,} pixels, the limit of its format; make the image smaller"
    if isinstance(error, MemoryError):
        return "it does not fit into memory; make the image smaller"
    if isinstance(error, Image.UnidentifiedImageError):
        start = _first_bytes(source)
        if start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS:
            return HEIC_ADVICE
        return "it is empty" if not start else f"unknown format, or damaged at the beginning; supported are {READ}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"it is damaged ({str(error) or type(error).__name__})"


def _first_bytes(source: bytes | str | os.PathLike) -> bytes:
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            return file.read(12)
    except OSError:
        return b"?"


def _ends_well(path: Path, kind: str) -> bool:
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        if kind == "WEBP":
            file.seek(4)
            return int.from_bytes(file.read(4), "little") + 8 <= length
        file.seek(-min(length, 64), os.SEEK_END)
        return b"\xff\xd9" in file.read()
