"""A page gets its turn while other visitors' pages compute."""

import os
import platform
import subprocess
import sys

import pytest

from transclipped.ui import shell, threads
from transclipped.utils import machine


def test_the_app_shares_before_torch_is_loaded():
    program = (
        "import os, sys; from streamlit.testing.v1 import AppTest;"
        f"app = AppTest.from_file({str(shell.ROOT / 'app.py')!r}, default_timeout=60).run(); assert not app.exception;"
        "assert 'torch' not in sys.modules and 'faiss' not in sys.modules;"
        "print(sys.getswitchinterval(), os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'])"
    )
    free = {name: value for name, value in os.environ.items() if name not in machine.PASSIVE}
    done = subprocess.run([sys.executable, "-c", program], cwd=shell.ROOT, env=free, capture_output=True, text=True)
    assert done.stdout.split() == [str(threads.TURN), "PASSIVE", "0"], done.stderr


POOLS = """
import ctypes, pathlib, sys, threading
import pytest

from transclipped.utils import machine
sys.argv[1] == "shared" and machine.share_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(8)
def work():
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(pathlib.Path(sys.argv[2]).read_text().count("<heap nr="))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="pools of memory are glibc's")
def test_threads_reuse_memory_that_others_freed(tmp_path):
    def pools(how: str) -> int:
        words = [sys.executable, "-c", POOLS, how, str(tmp_path / "info.xml")]
        return int(subprocess.run(words, cwd=shell.ROOT, capture_output=True, text=True, check=True).stdout)

    assert pools("shared") <= 2 < pools("each its own")
