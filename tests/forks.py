"""Commands in forked processes that are killed, or halted, just before their n-th change of a file.

One process imports torch and forks the others, so a trial takes no longer than the command.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PARENT = """
import json, os, sys
import faiss, numpy, torch
from transclipped import cli
import transclipped.training.train, transclipped.runs.session
torch.set_num_threads(1)
print("ready", flush=True)

def watch(at, below, number):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event == "open":
            mode, flags = arguments[1:]
            writes = any(c in mode for c in "wax+") if isinstance(mode, str) else flags & (os.O_RDWR | os.O_WRONLY)
            paths = arguments[:1] if writes else ()
        elif event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"):
            paths = arguments
        else:
            return
        if any(isinstance(path, (str, os.PathLike)) and os.path.abspath(path).startswith(below) for path in paths):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), number)
    return hook

for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if not pid:
        log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1), os.dup2(log, 2)
        if job["at"]:
            sys.addaudithook(watch(job["at"], job["below"], job["number"]))
        try:
            status = cli.main(job["argv"])
        except BaseException:
            import traceback
            traceback.print_exc()
            status = 1
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Forks:
    """A process that runs one command line at a time, each in a fork; `said` is the output of the last."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process = subprocess.Popen(
            [sys.executable, "-c", PARENT],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def start(self, argv, *, at=0, below=Path("/"), halt=False) -> int:
        """Start; kill, or halt, it at the `at`-th change of a file in the folder `below`; 0 for never."""
        number = int(signal.SIGSTOP if halt else signal.SIGKILL)
        job = {"argv": [*map(str, argv)], "log": str(self.log), "at": at, "below": str(below), "number": number}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def wait(self) -> int:
        return int(self._process.stdout.readline())

    def run(self, argv, **options) -> int:
        """Exit status, −9 if killed."""
        self.start(argv, **options)
        return self.wait()

    @property
    def said(self) -> str:
        return self.log.read_text()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def halted(pid: int, *, seconds: float = 60.0) -> bool:
    """Wait until a process halts; False if it ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state in "TZ":
            return state == "T"
        time.sleep(0.005)
    raise TimeoutError(f"process {pid} neither halted nor ended")


def let_go(pid: int) -> None:
    """Continue a halted process, after each halt, until it ends."""

    def work():
        while True:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                return
            time.sleep(0.05)

    threading.Thread(target=work, daemon=True).start()
