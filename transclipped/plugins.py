"""A clipping rule, loss or backbone of one's own, from a Python file: `--plugin FILE`.

    from transclipped.plugins import DELTA, register_backbone, register_loss, register_rule

    @register_rule("mine", amount=DELTA, does="every negative more similar than δ")
    def mine(similarity, candidates, config):        # cosines [2B, 2B], negatives [2B, 2B] bool, settings
        return similarity > config.threshold, None   # what to clip, and where the treatment `clamp` holds it

    @register_loss("hinge")
    def hinge(similarity, clipped, *, clipping, temperature, epoch):
        ...                                          # losses [2B] in nats

    @register_backbone("thumbnails")
    def thumbnails():
        ...                                          # a module: [B, 3, S, S] to [B, num_features]

and then `train --plugin FILE --clip mine --loss hinge --backbone thumbnails`. Help, form, lab, sweeps and tables say of
a rule what it is registered with, all of which may be left out (see `clipping.Rule`). The file's name stands in
config.json, a copy of it lies in the run, and the run's command names it. Opening a run never runs code that came with
it: a file runs when a person spells it out, by `--plugin` or in the variable TRANSCLIPPED_PLUGINS, which the app reads
too.
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
from transclipped.utils.files import replacing

__all__ = [  # to plug-ins: three ways to register, and how much a rule clips
    "DELTA", "PRIOR", "SHARE", "SIGMA", "register_backbone", "register_loss", "register_rule",
]  # fmt: skip

VARIABLE = "TRANSCLIPPED_PLUGINS"  # files, separated as in PATH
COPY = "plugin.py"  # in a run
_loaded: dict[Path, str] = {}  # file: digest of what was run


def register_rule(name: str, **facts: Any) -> Callable[[clipping.Pick], clipping.Pick]:
    """As `clipping.register`; what a rule raises, or answers wrongly, ends in a sentence.

    Examples:
        A rule that clips every negative above a cosine of 0.9, which `train(rule="above 0.9")` then takes:

        >>> @tc.register_rule("above 0.9")
        ... def above(similarity, candidates, config):
        ...     return similarity > 0.9, 0.9
    """

    def add(rule: clipping.Pick) -> clipping.Pick:
        @functools.wraps(rule)
        def checked(similarity, candidates, config):
            answer = _explained(f"clipping rule {name!r}", rule, similarity, candidates, config)
            fits = isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], torch.Tensor)
            if not fits or answer[0].dtype != torch.bool or answer[0].shape != candidates.shape:
                raise InputError(f"clipping rule {name!r} must return a bool tensor {[*candidates.shape]} and a level")
            return answer

        return clipping.register(name, **facts)(checked)

    return add


def register_loss(name: str) -> Callable[[losses.Loss], losses.Loss]:
    """As `losses.register`; what a loss raises, or answers wrongly, ends in a sentence."""

    def add(loss: losses.Loss) -> losses.Loss:
        @functools.wraps(loss)
        def checked(similarity, clipped, **settings):
            answer = _explained(f"loss {name!r}", loss, similarity, clipped, **settings)
            if not isinstance(answer, torch.Tensor) or answer.shape != (len(similarity),):
                raise InputError(f"loss {name!r} must return a tensor [{len(similarity)}], one loss an anchor")
            return answer

        return losses.register(name)(checked)

    return add


def load(path: str | Path) -> None:
    """Run a plug-in file; once, unless it has changed since.

    Raises:
        InputError: it is missing, or fails.
    """
    path = Path(path).expanduser().resolve()
    if not path.is_file() or path.suffix != ".py":
        raise InputError(f"plug-in {path} is not a Python file; name one that ends in .py")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if _loaded.get(path) == digest:
        return
    spec = importlib.util.spec_from_file_location(f"transclipped_plugin_{path.stem}_{digest[:8]}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and such look themselves up there
    _explained(f"plug-in {path}", spec.loader.exec_module, module)
    _loaded[path] = digest


def load_named(*paths: str | None) -> None:
    """Run the files that a person spelled out: those of TRANSCLIPPED_PLUGINS and `paths`, as far as given."""
    for path in [*os.environ.get(VARIABLE, "").split(os.pathsep), *paths]:
        if path:
            load(path)


def ensure(config: RunConfig) -> None:
    """See to it that a configuration's plug-in was run; never runs a file that only a configuration names.

    Raises:
        InputError: it was not, or the rule or loss is unknown.
    """
    load_named()
    if config.plugin and Path(config.plugin).name not in {path.name for path in _loaded}:
        raise InputError(
            f"this run uses the plug-in {config.plugin}, which is code; if you trust it, add --plugin FILE, "
            f"or start the app with {VARIABLE}=FILE"
        )
    _ = RULES[config.clipping.rule], losses.LOSSES[config.loss.name]


def keep(config: RunConfig, run: Path) -> None:
    """Copy the plug-in into the run, to be read, since its own file may change."""
    if config.plugin:
        with replacing(run / COPY) as temporary:
            shutil.copyfile(Path(config.plugin).expanduser(), temporary)


def _explained(what: str, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """Call, and turn whatever another person's code raises into a sentence with the place."""
    try:
        return function(*arguments, **settings)
    except InputError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise InputError(
            f"{what} fails: {type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
        ) from error
