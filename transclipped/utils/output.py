"""Standard output in any encoding: letters that it lacks are escaped, and JSON stays JSON.

On Windows, and in pipes of old systems, it is not UTF-8; file names may hold bytes that no encoding has.
"""

from __future__ import annotations

import codecs
import sys

ESCAPED = "transclipped.escaped"


def escape_in_output() -> None:
    """Let standard output and error escape what they cannot encode, instead of failing."""
    codecs.register_error(ESCAPED, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test or a notebook put its own in the place
            stream.reconfigure(errors=ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""\uXXXX for each letter, in pairs beyond U+FFFF: as JSON spells it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    raw = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[i]:02x}{raw[i + 1]:02x}" for i in range(0, len(raw), 2)), error.end
