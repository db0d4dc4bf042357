"""A page gets its turn while other visitors' pages compute."""

import os
import subprocess
import sys

from transclipped import machine
from transclipped.ui import shell, threads


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
