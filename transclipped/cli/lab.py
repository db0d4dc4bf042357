"""`lab`: build the lab set, sweep clipping settings on it, and precompute the curves that the app shows."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from transclipped.cli import INTERRUPTED
from transclipped.cli.options import add_shared
from transclipped.clipping import swept
from transclipped.errors import InputError
from transclipped.utils.machine import on_stop_signals
from transclipped.utils.progress import with_bars

TEMPERATURES = (0.2, 0.3, 0.5)  # of the precomputed curves


def add(parser: argparse.ArgumentParser) -> None:
    """Actions of the command, and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    option = _action(actions, "build", _build, "Embed the images, round to 8 bits and train the stored heads.")
    option("--backbone", help="bundled model, or any of timm's (default: the distilled hybrid)")
    option("--weights", help="file with the backbone's weights")
    option("--image-size", type=int, default=96, help="pixels a side (default 96)")
    option("--device", default="cpu", help="cpu, cuda or mps (default cpu)")
    option = _action(actions, "curves", _curves, "Sweep at three temperatures; the same command goes on.")
    option("--minutes", type=float, help="stop after about as many; the same command goes on")
    option = _action(actions, "sweep", _sweep, "Train a head for each of several settings and measure retrieval.")
    option("--out", type=Path, required=True, help="folder of results; the same command goes on")
    option("--rule", default="threshold", choices=tuple(swept()), help="what is varied")
    option("--amounts", help="how much each head clips, such as 0.6,0.5,0.4 (default: five of each rule)")
    option("--temperature", type=float, default=0.3, help="τ (default 0.3)")
    option("--treatment", default="remove", choices=("remove", "clamp"), help="of clipped pairs")
    option("--seed", type=int, default=0)


def _action(actions, name: str, handler, summary: str) -> Callable[..., argparse.Action]:
    """Add an action; returns the function that gives it further options."""
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("--lab", type=Path, help="folder of the lab set (default: the bundled one)")
    add_shared(parser)
    parser.set_defaults(handler=handler)
    return parser.add_argument


def _build(arguments: argparse.Namespace) -> int:
    from transclipped.config import BackboneConfig
    from transclipped.experiments.lab.build import build
    from transclipped.experiments.lab.heads import train_heads
    from transclipped.features import labset
    from transclipped.models.zoo import DISTILLED

    folder = arguments.lab or labset.FOLDER
    backbone = BackboneConfig(
        name=arguments.backbone or DISTILLED, weights=arguments.weights, image_size=arguments.image_size
    )
    for _ in with_bars(build(folder, backbone=backbone, device=arguments.device)):
        pass
    lab = labset.load(folder)
    maps = train_heads(lab, folder)
    summary = {"lab": str(folder), "pictures": len(lab), "queries": len(lab.query_rows), "map": maps}
    if arguments.json:
        print(json.dumps(summary))
    else:
        print(f"{len(lab)} images and {len(lab.query_rows)} queries in {folder}")
        for name, value in maps.items():
            print(f"{name:<36} mAP@{labset.K} {value:.4f}")
    return 0


def _sweep(arguments: argparse.Namespace) -> int:
    from transclipped.experiments.lab.sweep import HEADS_AT_FIRST, STOP, Stopped, Sweep, results, run_sweep
    from transclipped.features import labset

    usual = swept()[arguments.rule].tried[:HEADS_AT_FIRST]
    amounts = usual if arguments.amounts is None else _numbers(arguments.amounts)
    sweep = Sweep(
        rule=arguments.rule,
        amounts=amounts,
        temperature=arguments.temperature,
        treatment=arguments.treatment,
        seed=arguments.seed,
    )
    on_stop_signals(lambda number: (arguments.out / STOP).touch())
    try:
        run_sweep(labset.load(arguments.lab or labset.FOLDER), sweep, arguments.out, tell=_told)
    except Stopped:
        print("stopped; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    found = results(arguments.out)
    print(json.dumps(found) if arguments.json else f"{len(found)} heads in {arguments.out}")
    return 0


def _curves(arguments: argparse.Namespace) -> int:
    from transclipped.experiments.lab.curves import compute, load
    from transclipped.features import labset

    folder = arguments.lab or labset.FOLDER
    compute(labset.load(folder), folder, TEMPERATURES, minutes=arguments.minutes, tell=_told)
    found = load(folder)
    print(json.dumps(found) if arguments.json else f"{len(found)} heads in {folder}")
    return 0


def _told(result: dict) -> None:
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
