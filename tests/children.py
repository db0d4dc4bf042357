"""Stand-ins for the commands that the app starts: processes that wait until they are killed."""

import subprocess
import sys


class Child(subprocess.Popen):
    """A process, and the arguments of the command it replaces."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.arguments = arguments

    def end(self) -> None:
        self.kill()
        self.wait()
        self.stdin.close()
