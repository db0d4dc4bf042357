"""`lab`: build the lab set, sweep clipping settings on it, and precompute the curves that the app shows."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from transclipped.cli import INTERRUPTED
from transclipped.cli.options import add_shared, finish, print_result
from transclipped.clipping import swept
from transclipped.errors import InputError
from transclipped.utils.machine import on_stop_signals

TEMPERATURES = (0.2, 0.3, 0.5)  # of the precomputed curves


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    option = _action(actions, "build", "Embed the images, round to 8 bits and train the stored heads.")
    option("--backbone", help="bundled model, or any timm model (default: hybrid-vit-distilled)")
    option("--weights", help="file with the backbone's weights")
    option("--image-size", type=int, default=96, help="side of the images in pixels (default 96)")
    option("--device", default="cpu", help="cpu, cuda or mps (default cpu)")
    option = _action(actions, "curves", "Sweep at three temperatures; rerun to resume.")
    option("--minutes", type=float, help="stop after about this many minutes; rerun to resume")
    option = _action(actions, "sweep", "Train a head for each of several settings and measure retrieval.")
    option("--out", type=Path, required=True, help="folder of results; rerun to resume")
    option("--rule", default="threshold", choices=tuple(swept()), help="clipping rule (default threshold)")
    option("--amounts", help="amount of clipping for each head, such as 0.6,0.5,0.4 (default: five of the rule's)")
    option("--temperature", type=float, default=0.3, help="temperature τ of the loss, above 0 (default 0.3)")
    option("--treatment", default="remove", choices=("remove", "clamp"), help="for clipped pairs (default remove)")
    option("--seed", type=int, default=0, help="seed of weights, batches and views (default 0)")


def run(arguments: argparse.Namespace) -> int | None:
    return {"build": _build, "curves": _curves, "sweep": _sweep}[arguments.action](arguments)


def _action(actions, name: str, summary: str) -> Callable[..., argparse.Action]:
    """Add an action; returns the function that adds its options."""
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("--lab", type=Path, help="folder of the lab set (default: the bundled one)")
    add_shared(parser)
    return parser.add_argument


def _build(arguments: argparse.Namespace) -> None:
    from transclipped.config import BackboneConfig
    from transclipped.experiments.lab.build import build
    from transclipped.experiments.lab.heads import train_heads
    from transclipped.features import labset
    from transclipped.models.zoo import DISTILLED

    folder, name = arguments.lab or labset.FOLDER, arguments.backbone or DISTILLED
    backbone = BackboneConfig(name=name, weights=arguments.weights, image_size=arguments.image_size)
    finish(build(folder, backbone=backbone, device=arguments.device))
    lab = labset.load(folder)
    maps = train_heads(lab, folder)
    lines = [f"{len(lab)} images and {len(lab.query_rows)} queries in {folder}"]
    lines += [f"{name:<36} mAP@{labset.K} {value:.4f}" for name, value in maps.items()]
    result = {"lab": str(folder), "pictures": len(lab), "queries": len(lab.query_rows), "map": maps}
    print_result(arguments, result, "\n".join(lines))


def _sweep(arguments: argparse.Namespace) -> int | None:
    from transclipped.experiments.lab.sweep import DEFAULT_HEADS, STOP, Stopped, Sweep, results, run_sweep
    from transclipped.features import labset

    usual = swept()[arguments.rule].tried[:DEFAULT_HEADS]
    sweep = Sweep(
        rule=arguments.rule,
        amounts=usual if arguments.amounts is None else _numbers(arguments.amounts),
        temperature=arguments.temperature,
        treatment=arguments.treatment,
        seed=arguments.seed,
    )
    on_stop_signals(lambda number: (arguments.out / STOP).touch())
    try:
        run_sweep(labset.load(arguments.lab or labset.FOLDER), sweep, arguments.out, tell=_print_head)
    except Stopped:
        print("stopped; rerun to resume", file=sys.stderr)
        return INTERRUPTED
    heads = results(arguments.out)
    print_result(arguments, heads, f"{len(heads)} heads in {arguments.out}")


def _curves(arguments: argparse.Namespace) -> None:
    from transclipped.experiments.lab.curves import compute, load
    from transclipped.features import labset

    folder = arguments.lab or labset.FOLDER
    compute(labset.load(folder), folder, TEMPERATURES, minutes=arguments.minutes, tell=_print_head)
    heads = load(folder)
    print_result(arguments, heads, f"{len(heads)} heads in {folder}")


def _print_head(result: dict) -> None:
    amount = "" if result["amount"] is None else f" {result['amount']:g}"
    print(
        f"τ {result['temperature']:g}  {result['rule'] + amount:<14} mAP {result['map']:.4f}  "
        f"clipped {result['clip_fraction']:.2%}  {result['seconds']:.1f} s",
        file=sys.stderr,
        flush=True,
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--amounts is {text!r}; write numbers with commas, such as 0.6,0.5,0.4") from None
