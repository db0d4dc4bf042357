"""A training from configuration to finished run directory: prepare, train, measure.

The generator yields progress and events for display; the run directory is up to date when it does. Before it stops on
request, it saves the state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import torch

from transclipped.config import RunConfig
from transclipped.datasets.folder import Folder
from transclipped.datasets.protocols import draw, readable
from transclipped.errors import InputError
from transclipped.features.cache import FEW, Progress
from transclipped.models.backbone import set_trainable
from transclipped.models.head import Head, Network
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.runs import imported
from transclipped.runs.run import STOP_FILE, RunDir, check_free, create, is_vacant, write_config
from transclipped.runs.session import Session, prepare
from transclipped.training import evaluation
from transclipped.training.defaults import Fit, check, check_batch, fitted
from transclipped.training.estimate import storing_speeds
from transclipped.training.log import RunLog, trim_events
from transclipped.training.sources import CachedViews, FreshViews
from transclipped.training.threads import on_fastest_threads
from transclipped.training.trainer import Event, Trainer
from transclipped.utils.files import hold, write_json

STEPS_LOGGED = 10  # one step event in this many reaches events.jsonl
SAVE_EVERY = 30.0  # seconds between two saved states within an epoch
STATE_FILE = "last.safetensors"


class Stopped(Exception):
    """The training was stopped, by a signal or a stop file (0), and has saved its state."""

    def __init__(self, signal: int) -> None:
        super().__init__("stopped")
        self.signal = signal


def run_training(
    config: RunConfig,
    path: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "cpu",
    chosen: Collection[str] | None = None,
    tell: Callable[[str], None] = lambda sentence: None,
    stop_asked: Callable[[], int | None] = lambda: None,
) -> Iterator[Progress | Event]:
    """Train into the run directory `path`.

    Args:
        resume: continue the existing run with its own settings.
        overwrite: replace the existing run.
        chosen: paths of the settings chosen by the user; others may be adapted to the number of images. None for all.
        tell: called with sentences about adapted settings and the work to do.
        stop_asked: called after every step; returns the number of a received signal or None.

    Raises:
        InputError: settings or data are invalid, before the run exists; a later failure, also in the run's status; or
            another process trains the run.
        Stopped: on request.
    """
    check_free(path, resume=resume, overwrite=overwrite)
    with suppress(OSError):  # of an earlier training
        (path / STOP_FILE).unlink(missing_ok=True)
    resumed = resume and RunDir(path).exists and not is_vacant(path)
    session = None if resumed else _prepared(config, device, chosen, tell)  # invalid settings leave no folder
    with hold(path):
        settings, facts = (session.config, session.facts()) if session else (config, {})
        run = create(path, settings, resume=resume, overwrite=overwrite, **facts)
        yield from _logged_training(run, session, device, tell, stop_asked)


def _prepared(config: RunConfig, device: str, chosen: Collection[str] | None, tell: Callable[[str], None]) -> Session:
    """The loaded and checked data and backbone, with defaults adapted to the number of images."""
    session = prepare(config, device=device)
    n = len(session.split.train)
    fit = Fit(config, n) if chosen is None else fitted(config, images=n, chosen=chosen)
    check(fit.config, session.images, session.split, chosen=chosen or ())
    if fit.changes:
        tell(str(fit))
    return replace(session, config=fit.config, fitted=fit.changes)


def _prepared_again(run: RunDir, device: str, tell: Callable[[str], None]) -> Session:
    """`_prepared` with the settings of a run to resume; updates config.json.

    Raises:
        InputError: the run cannot be resumed, or its images or weights have changed.
    """
    imported.check_complete(run)
    session = _prepared(run.config, device, None, tell)  # config.json holds the adapted numbers
    session = replace(session, fitted=run.record.get("fitted", {}))
    facts = session.facts()
    for name, what in (("data_fingerprint", "images"), ("backbone_fingerprint", "backbone's weights")):
        before = run.record.get(name, facts[name])
        if before != facts[name]:
            raise InputError(
                f"the {what} have changed since {run.path} was started ({before} then, {facts[name]} now); "
                "restore them to resume, or start another run"
            )
    write_config(run.path, run.config, **facts)
    return session


def _logged_training(
    run: RunDir,
    session: Session | None,
    device: str,
    tell: Callable[[str], None],
    stop_asked: Callable[[], int | None],
) -> Iterator[Progress | Event]:
    """Train, and write the final state to the run's status."""
    log = RunLog(run)
    position = {"epoch": 0.0, "step": 0}
    try:
        with closing(_train(run, session, log, device, tell)) as work:  # closing it saves the state
            for item in work:
                if isinstance(item, Event):
                    position = {"epoch": item.epoch, "step": item.step}
                yield item
                signal = stop_asked()
                if signal is not None or (run.path / STOP_FILE).exists():
                    raise Stopped(signal or 0)
        log.end("finished", **position)
    except (Stopped, GeneratorExit, KeyboardInterrupt):
        log.end("stopped", **position)
        raise
    except BaseException as error:
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        log.end("failed", error=f"{kind}{error}", **position)
        raise


def _train(
    run: RunDir, session: Session | None, log: RunLog, device: str, tell: Callable[[str], None]
) -> Iterator[Progress | Event]:
    """Prepare if necessary, then encode, train and measure, and store the speeds."""
    session = session or _prepared_again(run, device, tell)
    run = RunDir(run.path)  # reads the new config.json, such as the centre of embeddings
    data, database = session.config.data, session.split.database
    if data.train_limit is not None and data.database_limit is None and session.frozen:
        missing = len(session.cache.missing(0, database))
        if missing > len(session.split.train):
            tell(
                f"{missing:,} of the {len(database):,} images of the database are not encoded yet and will be, to be "
                "searched; --database-limit takes fewer"
            )
    write_json(run.path / "split.json", session.split.to_json(session.images))
    yield from storing_speeds(session, _work(session, run, log))


def _work(session: Session, run: RunDir, log: RunLog) -> Iterator[Progress | Event]:
    """Encode, train and measure."""
    if session.frozen:
        yield from _logged(log, _fill_training_views(session))
        yield from _logged(log, _decode_queries(session))
        session.split = readable(session.split, session.images)
        check_batch(len(session.split.train), session.config.schedule.batch)
    trainer = _trainer(session)
    _restore(trainer, run)
    events = trainer.events()
    started = time.monotonic()
    yield from _train_and_save(trainer, on_fastest_threads(events) if session.frozen else events, run, log)
    seconds = {"training": round(time.monotonic() - started, 2)}
    yield from _logged(log, evaluation.measure(session, run, seconds=seconds))
    write_json(run.path / "split.json", readable(session.split, session.images).to_json(session.images))


def _fill_training_views(session: Session) -> Iterator[Progress]:
    for view in range(session.config.schedule.views):
        yield from session.cache.fill(view, session.split.train, device=session.device)
    yield from session.cache.fill(0, session.split.validation, device=session.device)


def _decode_queries(session: Session) -> Iterator[Progress]:
    """Find damaged queries, so that others can be drawn before training."""
    images, rows = session.images, session.split.query
    if not isinstance(images, Folder):  # bundled images are intact, and embeddings have none
        return
    started = time.monotonic()
    for done in range(0, len(rows), FEW):
        images.decoded(rows[done : done + FEW], session.backbone.image_size)
        yield Progress("decoding queries", min(done + FEW, len(rows)), len(rows), time.monotonic() - started)


def _trainer(session: Session) -> Trainer:
    config, split, labels = session.config, session.split, session.images.labels
    if session.frozen:
        views = [session.cache.view(v) for v in range(config.schedule.views)]
        source = CachedViews(views, split.train, seed=config.seed)
    else:
        rows = draw(session.images, config.data, unreadable=True).train  # the same ones after resuming
        source = FreshViews(session.images, rows, session.backbone, seed=config.seed, device=session.device)
    generator = torch.Generator().manual_seed(config.seed)
    model = Head.from_config(session.backbone.width, config.quantizer, generator=generator).to(session.device)
    if not session.frozen:
        set_trainable(session.backbone, config.backbone.train)
        model = Network(session.backbone, model)

    def observe() -> dict[str, float]:
        return {"validation_map": evaluation.validation_map(session, model)}

    validates = labels is not None and len(split.validation) > 0
    return Trainer(model, source, config, labels=labels, observe=observe if validates else None)


def _restore(trainer: Trainer, run: RunDir) -> None:
    """Restore the saved state of a run, if any, and remove the events after it."""
    state = run.path / STATE_FILE
    if state.exists():
        try:
            trainer.restore(load_tensors(state))
        except InputError as error:
            raise InputError(f"{run.path} cannot be resumed: {error}") from error
    trim_events(run, trainer.step)


def _train_and_save(trainer: Trainer, events: Iterator[Event], run: RunDir, log: RunLog) -> Iterator[Event]:
    started = saved = time.monotonic()
    first = trainer.step
    try:
        for event in events:
            if event.kind == "epoch":
                _keep_epoch(trainer, run, event)
            if event.kind == "epoch" or event.step % STEPS_LOGGED == 0 or event.step == first + 1:
                log.event(event.kind, epoch=event.epoch, step=event.step, **event.values)
                left = (time.monotonic() - started) / max(1, event.step - first) * (event.total - event.step)
                log.stage("training", done=event.step, total=event.total, seconds_left=round(left, 1))
            # The state is saved last: after a kill before it, resuming repeats and logs again what it lacks.
            if event.kind == "epoch" or time.monotonic() - saved > SAVE_EVERY:
                save_tensors(run.path / STATE_FILE, trainer.state())
                saved = time.monotonic()
            yield event
    except GeneratorExit:
        save_tensors(run.path / STATE_FILE, trainer.state())
        raise


def _keep_epoch(trainer: Trainer, run: RunDir, event: Event) -> None:
    """Save the epoch's head, and the model if it is the last one or, with `select`, the best by validation."""
    model = trainer.model
    state = (model if isinstance(model, Head) else model.head).state_dict()
    half = {name: tensor.half() for name, tensor in state.items()}
    save_tensors(run.path / "epochs" / f"{round(event.epoch)}.safetensors", half)
    if trainer.config.select == "validation":
        earlier = [e["validation_map"] for e in run.events("epoch") if "validation_map" in e]
        if event.values.get("validation_map", -1.0) <= max(earlier, default=-2.0):
            return
    if not isinstance(model, Head):
        state |= {f"backbone.{name}": tensor for name, tensor in model.backbone.state_dict().items()}
    save_tensors(run.path / "model.safetensors", state)


def _logged(log: RunLog, steps: Iterator[Progress]) -> Iterator[Progress]:
    for progress in steps:
        left = None if progress.seconds_left is None else round(progress.seconds_left, 1)
        log.stage(progress.what, done=progress.done, total=progress.total, seconds_left=left)
        yield progress
