"""One way to open a picture, whoever made it: JPEG, PNG, WebP, TIFF, …; CMYK, 16 bits, transparent, rotated.

What comes out is always an upright 8-bit RGB picture, or an `InputError` with the picture's name. HEIC, the
format of many phones, needs the optional package pillow-heif; AVIF comes with Pillow.
"""

from __future__ import annotations

import base64
import io
import os
import warnings
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from transclipped.errors import InputError

MAX_PIXELS = 89_478_485  # of one picture, 256 MiB as RGB; where Pillow begins to suspect a decompression bomb
BROWSER_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")  # bytes 8-11, after "ftyp"
HEIC_ADVICE = "HEIC needs the package pillow-heif: `pip install pillow-heif`, or save it as JPEG"

# Pillow warns here and refuses at twice as much; `_refuse` refuses here, so the warning only repeats it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def open_picture(
    source: bytes | str | os.PathLike, *, name: str | None = None, at_least: int | None = None
) -> Image.Image:
    """Upright RGB picture, transparent parts on white; the first frame if it moves.

    Args:
        source: encoded bytes, or a path.
        name: for messages, None for the path.
        at_least: pixels of the shorter side that suffice; large JPEGs then decode at a half, quarter or eighth.

    Raises:
        InputError: it is missing, empty, damaged, too large or no picture.
    """
    name = name or ("the picture" if isinstance(source, bytes) else str(source))
    learn_heic()
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            _refuse(image)
            if at_least is not None:
                image.draft(None, (at_least, at_least))
            image.load()
            return _rgb(_upright(image))
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        raise InputError(f"{name} cannot be used as a picture: {_reason(error, source)}") from error


def fault(path: Path) -> str | None:
    """Why a file is not a whole picture, None if it is one; found out mostly without decoding.

    Headers are read for all; PNG checksums, the length of WebP and the end marker of JPEG tell a truncated
    file. What is in doubt, and every rarer format, is decoded.
    """
    learn_heic()
    try:
        with Image.open(path) as image:
            _refuse(image)
            if image.format == "PNG":
                image.verify()
            elif image.format not in ("JPEG", "WEBP") or not _ends_well(path, image.format):
                image.load()
    except Exception as error:
        return _reason(error, path)
    return None


def square(image: Image.Image, size: int) -> Image.Image:
    """Centre square, resized to `size` pixels a side.

    The square is cut and resized in one step: a strip of 10,000 × 1 pixels would otherwise become
    1,600,000 × 160 in between.
    """
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def to_png(image: Image.Image) -> bytes:
    """PNG file of a picture."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def data_address(file: bytes, kind: str) -> str:
    """A file of MIME type `kind` as an address that holds all of it, for HTML."""
    return f"data:{kind};base64,{base64.b64encode(file).decode()}"


@cache
def learn_heic() -> bool:
    """Teach Pillow to open HEIC, once; False where pillow-heif is not installed or does not work."""
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except Exception:  # not installed; or broken, which must not break JPEGs
        return False
    return True


class _TooLarge(Exception):
    """More than `MAX_PIXELS`."""


class _Program(Exception):
    """PostScript, which Pillow would hand to an interpreter if there is one."""


def _refuse(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _TooLarge
    if image.format == "EPS":
        raise _Program


def _reason(error: Exception, source: bytes | str | os.PathLike) -> str:
    if isinstance(error, (_TooLarge, Image.DecompressionBombError, MemoryError)):
        return f"more than {MAX_PIXELS:,} pixels, or than fit into memory; make the picture smaller"
    if isinstance(error, _Program):
        return "PostScript is a program rather than a picture; save it as PNG"
    if isinstance(error, Image.UnidentifiedImageError):
        start = _first_bytes(source)
        if start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS:
            return HEIC_ADVICE
        return "it is empty" if not start else "no known picture format, or damaged at its beginning"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"it is damaged ({str(error) or type(error).__name__})"


def _first_bytes(source: bytes | str | os.PathLike) -> bytes:
    if isinstance(source, bytes):
        return source[:12]
    try:
        with open(source, "rb") as file:
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


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF does not make the pixels unusable
        return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greyscale of 16 or 32 bits, which Pillow would clip at 255 instead of scaling."""
    values = np.nan_to_num(np.asarray(image, np.float64))
    brightest = values.max(initial=0)
    if image.mode == "F":
        scale = 255 if brightest <= 1 else 1
    else:
        scale = 255 / 65535 if image.mode != "I" or brightest > 255 else 1
    return Image.fromarray((values * scale).round().clip(0, 255).astype(np.uint8))
