"""Stand-ins for the commands that the app starts: processes that do nothing until they are ended."""

import subprocess
import sys


class Child(subprocess.Popen):
    """A process, and the arguments of the command that it stands for."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.arguments = arguments

    def end(self) -> None:
        self.kill()
        self.wait()
        self.stdin.close()
