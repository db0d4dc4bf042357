"""One way to open a picture, whoever made it: JPEG, PNG, WebP, TIFF, …; CMYK, 16 bits, transparent, rotated.

What comes out is always an upright 8-bit RGB picture, or an `InputError` with the picture's name.
"""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from transclipped.errors import InputError

MAX_PIXELS = 89_478_485  # of one picture, 256 MiB as RGB; where Pillow begins to suspect a decompression bomb
BROWSER_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")

# Pillow only warns up to twice the limit, where memory may already be gone; `_checked` refuses at the limit.
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
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            _refuse_bomb(image, name)
            if at_least is not None and image.format == "JPEG":
                image.draft("RGB" if image.mode == "YCbCr" else image.mode, (at_least, at_least))
            image.load()
            return _rgb(_upright(image))
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: {_too_large()}") from error
    except MemoryError as error:
        raise InputError(f"{name} does not fit into memory; make the picture smaller") from error
    except Exception as error:  # Pillow's plugins raise whatever a damaged file leads them to
        raise InputError(f"{name} cannot be read as a picture: {reason(error, source)}") from error


def check_picture(path: Path) -> None:
    """Find out, mostly without decoding, whether a file is a whole picture.

    Headers are read for all; PNG checksums, the length of WebP and the end marker of JPEG tell a truncated
    file. What is in doubt, and every rarer format, is decoded.

    Raises:
        InputError: as `open_picture`.
    """
    try:
        with Image.open(path) as image:
            _refuse_bomb(image, path.name)
            if image.format == "PNG":
                image.verify()
                return
            whole = image.format in ("JPEG", "WEBP") and _ends_well(path, image.format)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{path.name}: {_too_large()}") from error
    except Exception as error:
        raise InputError(f"{path.name} cannot be read as a picture: {reason(error, path)}") from error
    if not whole:
        open_picture(path, name=path.name)


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


def reason(error: Exception, source: object = None) -> str:
    """Why a picture could not be read, in words."""
    if isinstance(source, (str, os.PathLike)) and isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, Image.UnidentifiedImageError):
        empty = not source if isinstance(source, bytes) else source is not None and not os.path.getsize(source)
        return "it is empty" if empty else "no known picture format"
    return f"it is damaged ({error})" if str(error) else f"it is damaged ({type(error).__name__})"


def _refuse_bomb(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise InputError(f"{name}: {image.width} × {image.height}, {_too_large()}")


def _too_large() -> str:
    return f"more than {MAX_PIXELS:,} pixels; make the picture smaller"


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
