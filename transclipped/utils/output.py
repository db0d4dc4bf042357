"""Standard output in any encoding: unsupported characters are escaped, so that JSON stays valid.

On Windows and in pipes of old systems the encoding is not UTF-8, and file names may contain bytes of no encoding.
"""

from __future__ import annotations

import codecs
import sys

ESCAPED = "transclipped.escaped"


def escape_in_output() -> None:
    """Let standard output and error escape characters that they cannot encode."""
    codecs.register_error(ESCAPED, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # false for streams of tests and notebooks
            stream.reconfigure(errors=ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""\uXXXX for each character, two above U+FFFF, as in JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    raw = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[i]:02x}{raw[i + 1]:02x}" for i in range(0, len(raw), 2)), error.end
