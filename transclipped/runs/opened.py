"""A finished run for notebooks, opened by its folder or the name of a bundled run."""

import difflib
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS

BUNDLED = ASSETS / "runs"


class Run:
    """A trained run on disk, read-only.

    Args:
        source: folder of a run, or the name of a bundled one.

    Attributes:
        directory: the `RunDir`, for everything else.

    Raises:
        InputError: there is no such run; or, on first access, a part is missing or damaged.

    Examples:
        >>> run = tc.Run("hybrid-cifar10-32-clipped")
        >>> run.config.clipping.rule, run.config.quantizer.bits
        ('adaptive', 32)
        >>> run.arrays.codes.shape
        (50000, 4)
        >>> round(run.map, 3) == round(run.metrics["modes"]["asymmetric"]["map"], 3)
        True
    """

    def __init__(self, source: "str | os.PathLike | RunDir | Run") -> None:
        self.directory = directory_of(source)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def path(self) -> Path:
        return self.directory.path

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def config(self) -> RunConfig:
        """All settings."""
        return self.directory.config

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Content of metrics.json."""
        if (metrics := self.directory.metrics()) is None:
            raise InputError(f"{self.path} has not been measured; finish its training, or run `evaluate` on it")
        return metrics

    @property
    def map(self) -> float | None:
        """mAP@K of asymmetric search, in [0, 1]; None without labels."""
        return self.metrics["modes"].get("asymmetric", {}).get("map")

    @cached_property
    def arrays(self) -> Retrieval:
        """Codebooks, codes, queries, ids and labels."""
        return self.directory.retrieval()


def directory_of(run: Run | RunDir | str | os.PathLike) -> RunDir:
    """The directory of a run in any of its forms. Raises InputError if there is no such run."""
    if isinstance(run, Run):
        return run.directory
    return run if isinstance(run, RunDir) else _named(run)


def _named(source: str | os.PathLike) -> RunDir:
    run = RunDir(Path(source).expanduser())
    if run.exists:
        return run
    if (bundled := RunDir(BUNDLED / source)).exists:
        return bundled
    names = sorted(path.parent.name for path in BUNDLED.glob("*/config.json"))
    near = difflib.get_close_matches(str(source), names, 1)
    hint = f"did you mean the bundled {near[0]}?" if near else f"bundled are {', '.join(names)}"
    raise InputError(f"{source} is neither the folder of a run nor the name of a bundled one; {hint}")
