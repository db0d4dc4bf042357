"""Custom clipping rules, losses and backbones in a Python file: `--plugin FILE`.

    from transclipped.plugins import DELTA, register_backbone, register_loss, register_rule, register_stage

    @register_rule("mine", amount=DELTA, does="every negative more similar than δ")
    def mine(similarity, candidates, config):        # cosines [2B, 2B], negatives [2B, 2B] bool, settings
        return similarity > config.threshold, None   # mask of pairs to clip, and the similarity for `clamp`

    @register_loss("hinge")
    def hinge(similarity, clipped, *, clipping, temperature, epoch):
        ...                                          # losses [2B] in nats

    @register_backbone("thumbnails")
    def thumbnails():
        ...                                          # a module: [B, 3, S, S] to [B, num_features]

    @register_stage("signs", kind="transform", idea="Keep signs.", formula="sign(x)", source="ours")
    def signs(vectors):                              # see `retrieval.stages` for the other kinds
        return np.sign(vectors)

Use them with `train --plugin FILE --clip mine --loss hinge --backbone thumbnails`. The optional arguments of
`register_rule` (see `clipping.Rule`) describe the rule in help, forms, lab, sweeps and tables. A run stores the path
of the file and a copy of it. Opening a run never executes that code: a file is executed only if you name it, with
`--plugin` or in the variable TRANSCLIPPED_PLUGINS, which the app reads too.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from transclipped import clipping, losses
from transclipped.clipping import DELTA, PRIOR, RULES, SHARE, SIGMA
from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.models.custom import register as register_backbone
from transclipped.retrieval import stages
from transclipped.utils.files import replacing

__all__ = [  # for plug-ins
    "DELTA",
    "PRIOR",
    "SHARE",
    "SIGMA",
    "register_backbone",
    "register_loss",
    "register_rule",
    "register_stage",
]

VARIABLE = "TRANSCLIPPED_PLUGINS"  # paths, separated as in PATH
COPY = "plugin.py"  # in a run
_loaded: dict[Path, str] = {}  # file: digest of the executed content


def register_rule(name: str, **facts: Any) -> Callable[[clipping.Pick], clipping.Pick]:
    """As `clipping.register`; exceptions and wrong results of the rule become an `InputError`.

    Examples:
        A rule that clips every negative above a cosine of 0.9, for `train(rule="above 0.9")`:

        >>> @tc.register_rule("above 0.9")
        ... def above(similarity, candidates, config):
        ...     return similarity > 0.9, 0.9
    """
    what = f"clipping rule {name!r}"

    def check(result: Any, similarity: torch.Tensor, candidates: torch.Tensor, config: Any) -> None:
        fits = isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], torch.Tensor)
        if not fits or result[0].dtype != torch.bool or result[0].shape != candidates.shape:
            raise InputError(f"{what} must return a bool tensor {[*candidates.shape]} and a level")

    return lambda rule: clipping.register(name, **facts)(_checked(what, rule, check))


def register_loss(name: str) -> Callable[[losses.Loss], losses.Loss]:
    """As `losses.register`; exceptions and wrong results of the loss become an `InputError`."""
    what = f"loss {name!r}"

    def check(result: Any, similarity: torch.Tensor, clipped: Any) -> None:
        if not isinstance(result, torch.Tensor) or result.shape != (len(similarity),):
            raise InputError(f"{what} must return a tensor [{len(similarity)}], one loss per anchor")

    return lambda loss: losses.register(name)(_checked(what, loss, check))


def register_stage(name: str, **facts: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As `retrieval.stages.stage`; exceptions of the stage become an `InputError`."""
    what = f"stage {name!r}"
    if facts.get("fit"):
        facts["fit"] = _checked(what, facts["fit"], lambda *_: None)
    return lambda function: stages.stage(name, **facts)(_checked(what, function, lambda *_: None))


def _checked(what: str, function: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **settings: Any) -> Any:
        result = _call(what, function, *arguments, **settings)
        check(result, *arguments)
        return result

    return call


def load(path: str | Path) -> None:
    """Execute a plug-in file, unless this content of it has been executed already.

    Raises:
        InputError: the file is missing or fails.
    """
    path = Path(path).expanduser().resolve()
    if not path.is_file() or path.suffix != ".py":
        raise InputError(f"plug-in {path} is not a Python file; name an existing file that ends in .py")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if _loaded.get(path) == digest:
        return
    spec = importlib.util.spec_from_file_location(f"transclipped_plugin_{path.stem}_{digest[:8]}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up their module
    _call(f"plug-in {path}", spec.loader.exec_module, module)
    _loaded[path] = digest


def load_named(*paths: str | None) -> None:
    """Execute the files of TRANSCLIPPED_PLUGINS and `paths`; None and empty paths are skipped."""
    for path in filter(None, [*os.environ.get(VARIABLE, "").split(os.pathsep), *paths]):
        load(path)


def ensure(config: RunConfig) -> None:
    """Check that the plug-in, rule and loss of a configuration are loaded; executes no file that only it names.

    Raises:
        InputError: they are not.
    """
    load_named()
    if config.plugin and Path(config.plugin).name not in {path.name for path in _loaded}:
        raise InputError(
            f"this run uses the plug-in {config.plugin}, which is code; if you trust it, add --plugin FILE, "
            f"or start the app with {VARIABLE}=FILE"
        )
    _ = RULES[config.clipping.rule], losses.LOSSES[config.loss.name]


def keep(config: RunConfig, run: Path) -> None:
    """Copy the plug-in into the run, as a record: the original file may change."""
    if config.plugin:
        with replacing(run / COPY) as temporary:
            shutil.copyfile(Path(config.plugin).expanduser(), temporary)


def _call(what: str, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """Call custom code; an exception becomes an `InputError` that names the line."""
    try:
        return function(*arguments, **settings)
    except InputError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise InputError(
            f"{what} fails: {type(error).__name__}: {error} ({Path(frame.filename).name}, line {frame.lineno})"
        ) from error
