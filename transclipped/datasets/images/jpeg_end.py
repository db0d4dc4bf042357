"""JPEGs without an end marker: complete ones, as some phones write panoramas, and truncated ones.

The data of such a panorama is complete, but a block of the phone replaces the end marker, and decoders read on in vain.
Decoding it again shows whether all pixels are present: first with the end marker right behind the data, then with other
data before it. Only a truncated image takes pixels from that data.

Source: ITU-T T.81, annex B (markers) and G (progression: a scan's first and last coefficient, and its lowest bit).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

END = b"\xff\xd9"
PIXELS = b"\x55" * 4096  # decodes to pixels with any Huffman tables
# At the end of a restart interval a decoder skips data until the next restart marker, of which there are eight.
TAILS = (PIXELS, b"".join(bytes((0xFF, 0xD0 + n)) + PIXELS for n in range(8)))
NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # never within the data of a scan
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start of frame
SCAN = 0xDA
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


def completed(raw: bytes, decode: Callable[[bytes], bytes]) -> bytes | None:
    """The file with its end marker in place; None if it is truncated or not a JPEG. `decode` may raise anything."""
    end = _end_of_data(raw)
    if end is None:
        return None
    whole = raw[:end] + END
    try:
        pixels = decode(whole)
        return whole if all(decode(raw[:end] + tail + END) == pixels for tail in TAILS) else None
    except Exception:  # of a damaged file; the caller reports its first error
        return None


def _end_of_data(raw: bytes) -> int | None:
    """End of the scan with the last coefficients; None if some are missing."""
    missing: set[tuple[int, int]] | None = None  # (component, coefficient) whose lowest bit is missing
    progressive = False
    for marker, body, after in _segments(raw):
        if marker in FRAMES:
            progressive = marker in PROGRESSIVE
            missing = {(body[6 + 3 * i], k) for i in range(body[5]) for k in range(64)}
        if marker == SCAN and missing is not None:
            n = body[0]
            first, last, bits = body[1 + 2 * n : 4 + 2 * n]
            last = last if progressive else 63
            if not progressive or bits & 15 == 0:
                missing -= {(body[1 + 2 * i], k) for i in range(n) for k in range(first, last + 1)}
            if not missing:
                match = NEXT_MARKER.search(raw, after)
                return match.start() if match else len(raw)
    return None


def _segments(raw: bytes) -> Iterator[tuple[int, bytes, int]]:
    """(marker, content, position behind it), until the file is invalid."""
    at = 2
    while match := NEXT_MARKER.search(raw, at):
        at = match.start()
        marker, length = raw[at + 1], int.from_bytes(raw[at + 2 : at + 4], "big")
        body = raw[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            return
        at += 2 + length
        yield marker, body, at
