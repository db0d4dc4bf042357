"""Simulates a full disk with the system's limit on file sizes."""

import resource
from contextlib import contextmanager


@contextmanager
def files_up_to(size):
    """Inside, writing a file beyond `size` bytes fails, similar to a full disk (with EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def left_over(folder):
    """Temporary files below a folder that a writer should have deleted."""
    return [str(path) for path in folder.rglob("*.tmp*")]
