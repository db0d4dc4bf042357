"""Visitors' threads share the machine."""

import os
import platform
import subprocess
import sys

import pytest

from transclipped.ui import shell, threads
from transclipped.utils import machine


def test_the_first_page_configures_threads_and_imports_no_slow_library(tmp_path):
    program = (
        "import os, sys; from streamlit.testing.v1 import AppTest;"
        f"app = AppTest.from_file({str(shell.ROOT / 'app.py')!r}, default_timeout=240).run();"
        "assert not app.exception and app.metric;"
        "assert not {'torch', 'timm', 'faiss', 'pandas'} & sys.modules.keys();"
        "print(sys.getswitchinterval(), os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'])"
    )
    env = {name: value for name, value in os.environ.items() if name not in machine.PASSIVE}
    env["TRANSCLIPPED_RUNS"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", program], cwd=shell.ROOT, env=env, capture_output=True, text=True)
    assert done.stdout.split() == [str(threads.TURN), "PASSIVE", "0"], done.stderr


POOLS = """
import ctypes, pathlib, sys, threading
from transclipped.utils import machine
sys.argv[1] == "shared" and machine.limit_memory_pools()
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory pools are specific to glibc")
def test_threads_reuse_memory_freed_by_others(tmp_path):
    def pools(mode: str) -> int:
        command = [sys.executable, "-c", POOLS, mode, str(tmp_path / "info.xml")]
        return int(subprocess.run(command, cwd=shell.ROOT, capture_output=True, text=True, check=True).stdout)

    assert pools("shared") <= 2 < pools("separate")
