"""Training speed of a head on cached features, and the time of each part of a step.

    python -m tests.benchmarks.training_speed [--images 50000] [--width 1280] [--views 4] [--batch 256] [--bits 32]

Between steps, each part is timed alone, forward and backward, on one batch: data access (gathering the views),
projection, quantizer, loss; the rest is the optimizer and logging. Reported are medians, and for comparison the step's
matrix products alone. The rest of the epoch runs as in `train` and gives the images/s.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from transclipped.config import QuantizerConfig, RunConfig, ScheduleConfig
from transclipped.losses import training_loss
from transclipped.models.head import Head
from transclipped.training.sources import CachedViews
from transclipped.training.trainer import Trainer

ROUNDS = 60
DISTINCT = 5000  # images; repeated, since only access matters here


def make_trainer(options: argparse.Namespace) -> tuple[Trainer, RunConfig]:
    """A trainer of one epoch on noise."""
    rng = np.random.default_rng(0)
    block = rng.normal(size=(min(DISTINCT, options.images), options.width)).astype(np.float16)
    repeats = -(-options.images // len(block))
    views = [np.tile(block, (repeats, 1))[: options.images].copy() for _ in range(options.views)]
    config = RunConfig(
        quantizer=QuantizerConfig(bits=options.bits), schedule=ScheduleConfig(epochs=1, batch=options.batch, views=2)
    )
    head = Head.from_config(options.width, config.quantizer, generator=torch.Generator().manual_seed(0))
    return Trainer(head, CachedViews(views, np.arange(options.images), seed=0), config), config


def milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def parts(trainer: Trainer, config: RunConfig, batch: int) -> dict[str, Callable[[], object]]:
    """The timed parts by name, all on one batch."""
    head, source = trainer.model, trainer.source
    views = next(source.batches(0, batch=batch)).views
    x = head.embed(views).detach().requires_grad_()  # [2B, M, d]
    soft = [tensor.detach().requires_grad_() for tensor in head.quantizer(x)]
    words = head.quantizer.codewords().detach().requires_grad_()

    def backwards(outputs: list, inputs: list) -> None:
        torch.autograd.grad(outputs, inputs, [torch.ones_like(output) for output in outputs], allow_unused=True)

    def loss() -> None:
        terms = {"detect": x.flatten(1), "clipping": config.clipping, "loss": config.loss}
        result = training_loss(soft[1].flatten(1), soft[0], words, **terms)
        backwards([result.total], [*soft, words])

    gathered = source.batches(1, batch=batch)
    next(gathered)  # shuffles first
    return {
        "data access": lambda: next(gathered),
        "projection": lambda: backwards([head.embed(views)], [*head.projection.parameters()]),
        "quantizer": lambda: backwards([*head.quantizer(x)], [x, head.quantizer.codebooks]),
        "loss": loss,
        "(matrix products alone)": products(head, batch),
    }


def products(head: Head, batch: int) -> Callable[[], None]:
    """The matrix products of a step alone, forward and backward."""
    m, k, d = head.shape
    weight = head.projection.weight.detach()
    features = torch.randn(2 * batch, weight.shape[1])
    x, words, p = torch.randn(m, 2 * batch, d), torch.randn(m, k, d), torch.randn(m, 2 * batch, k)
    z, s = torch.randn(2 * batch, m * d), torch.randn(2 * batch, 2 * batch)

    def multiply() -> None:
        y = features @ weight.T
        y.T @ features
        for _ in range(2):  # scores and soft codes: one product forwards, two backwards
            x @ words.mT, p.mT @ x, p @ words
        z @ z.T, s @ z, s.T @ z

    return multiply


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("images", 50_000), ("width", 1280), ("views", 4), ("batch", 256), ("bits", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    trainer, config = make_trainer(options)
    print(f"{options.images} images x 2 of {options.views} views of {options.width} numbers, batch {options.batch}")
    print(f"M, K, d = {trainer.model.shape}, {torch.get_num_threads()} threads")
    events = trainer.events()
    timed = {"step": lambda: next(events)} | parts(trainer, config, options.batch)
    rounds = min(ROUNDS, trainer.total_steps // 2)
    times = [{name: milliseconds(work) for name, work in timed.items()} for _ in range(rounds)]
    median = {name: float(np.median([round[name] for round in times])) for name in timed}
    seconds = milliseconds(lambda: [*events]) / 1000
    speed = (trainer.total_steps - rounds) * options.batch / seconds
    step, products_alone = median.pop("step"), median.pop("(matrix products alone)")
    print(f"\n{speed:.0f} images/s, so an epoch takes {options.images / speed:.1f} s; {step:.2f} ms a step, of which")
    median["optimizer, logging, the rest"] = step - sum(median.values())
    for name, value in (median | {"(matrix products alone)": products_alone}).items():
        print(f"{name:<30}{value:7.2f} ms {value / step:7.0%}")


if __name__ == "__main__":
    main()
