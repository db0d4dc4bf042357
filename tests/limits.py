"""A disk that is full, without being one: the system refuses to let files grow."""

import resource
from contextlib import contextmanager


@contextmanager
def files_up_to(size):
    """Inside, this process can write no file beyond `size` bytes (a write fails as on a full disk, with EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def left_over(folder):
    """Temporary files below a folder that a writer should have cleared away."""
    return [str(path) for path in folder.rglob("*.tmp*")]
