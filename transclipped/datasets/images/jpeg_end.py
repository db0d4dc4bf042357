"""JPEGs without end marker: whole ones, as some phones write panoramas, and ones that were cut.

A panorama's data is all there, but a block of the phone's own stands in the end marker's place, and decoders read on
for a marker that never comes. Decoding twice shows whether all pixels are there, once with the end marker
right behind the data and once with other data before it: only an image that was cut takes pixels from those.

Source: ITU-T T.81, annex B (markers) and G (progression: a scan's first and last coefficient, and its lowest bit).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

END = b"\xff\xd9"
TAIL = b"\x55" * 4096  # data that decodes to pixels, whatever the Huffman tables
NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # none of these stands within the data of a scan
FRAMES = range(0xC0, 0xD0)  # start of frame, but for the three below
NO_FRAMES = (0xC4, 0xC8, 0xCC)
SCAN = 0xDA
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


def completed(raw: bytes, decode: Callable[[bytes], bytes]) -> bytes | None:
    """The file with its end marker where it belongs; None if it was cut, or is no JPEG.

    Args:
        decode: pixels of a file; may raise what it likes.
    """
    end = _end_of_data(raw)
    if end is None:
        return None
    whole = raw[:end] + END
    try:
        return whole if decode(whole) == decode(raw[:end] + TAIL + END) else None
    except Exception:  # as decoders do on damaged files; the caller then tells of the first error
        return None


def _end_of_data(raw: bytes) -> int | None:
    """Where the scan ends that brings the last coefficients; None if they never all come."""
    missing: set[tuple[int, int]] | None = None  # (component, coefficient) whose lowest bit has not come
    progressive = False
    for marker, body, after in _segments(raw):
        if marker in FRAMES and marker not in NO_FRAMES:
            progressive = marker in PROGRESSIVE
            missing = {(body[6 + 3 * i], k) for i in range(body[5]) for k in range(64)}
        if marker == SCAN and missing is not None:
            n = body[0]
            first, last, bits = body[1 + 2 * n : 4 + 2 * n]
            last = last if progressive else 63
            if not progressive or bits & 15 == 0:
                missing -= {(body[1 + 2 * i], k) for i in range(n) for k in range(first, last + 1)}
            found = NEXT_MARKER.search(raw, after)
            if not missing:
                return found.start() if found else len(raw)
    return None


def _segments(raw: bytes) -> Iterator[tuple[int, bytes, int]]:
    """(marker, its content, place behind it), up to where the file stops making sense."""
    at = 2
    while (found := NEXT_MARKER.search(raw, at)) is not None:
        at = found.start()
        marker, length = raw[at + 1], int.from_bytes(raw[at + 2 : at + 4], "big")
        body = raw[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            return
        at += 2 + length
        yield marker, body, at
