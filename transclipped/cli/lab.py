"""`lab`: build the lab set, sweep clipping settings on it, and precompute the curves that the app shows."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from transclipped.clipping import swept
from transclipped.errors import InputError
from transclipped.utils.progress import with_bars

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "lab"
TEMPERATURES = (0.2, 0.3, 0.5)  # of the precomputed curves


def add(commands) -> None:
    """Register the subcommands."""
    summary = "The lab set: embeddings on which a head trains in seconds."
    actions = commands.add_parser("lab", help=summary, description=summary).add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    build = _action(actions, "build", _build, "Embed the pictures, round to 8 bits and train the stored heads.")
    build.add_argument("--backbone", help="bundled model, or any of timm's (default: the distilled hybrid)")
    build.add_argument("--weights", help="file with the backbone's weights")
    build.add_argument("--image-size", type=int, default=96, help="pixels a side (default 96)")
    build.add_argument("--device", default="cpu", help="cpu, cuda or mps (default cpu)")
    curves = _action(actions, "curves", _curves, "Sweep at three temperatures; the same command goes on.")
    curves.add_argument("--minutes", type=float, help="stop after about as many; the same command goes on")
    sweep = _action(actions, "sweep", _sweep, "Train a head for each of several settings and measure retrieval.")
    sweep.add_argument("--out", type=Path, required=True, help="folder of results; the same command goes on")
    sweep.add_argument("--rule", default="threshold", choices=tuple(swept()), help="what is varied")
    sweep.add_argument("--amounts", help="how much each head clips, such as 0.6,0.5,0.4 (default: five of each rule)")
    sweep.add_argument("--temperature", type=float, default=0.3, help="τ (default 0.3)")
    sweep.add_argument("--treatment", default="remove", choices=("remove", "clamp"), help="of clipped pairs")
    sweep.add_argument("--seed", type=int, default=0)


def _action(actions, name: str, handler, summary: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.add_argument("--lab", type=Path, default=FOLDER, help="folder of the lab set (default: the bundled one)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    parser.set_defaults(handler=handler)
    return parser


def _build(arguments: argparse.Namespace) -> int:
    from transclipped.config import BackboneConfig
    from transclipped.experiments.lab.build import build
    from transclipped.experiments.lab.heads import train_heads
    from transclipped.features import labset
    from transclipped.models.zoo import DISTILLED

    backbone = BackboneConfig(
        name=arguments.backbone or DISTILLED, weights=arguments.weights, image_size=arguments.image_size
    )
    for _ in with_bars(build(arguments.lab, backbone=backbone, device=arguments.device)):
        pass
    lab = labset.load(arguments.lab)
    maps = train_heads(lab, arguments.lab)
    summary = {"lab": str(arguments.lab), "pictures": len(lab), "queries": len(lab.query_rows), "map": maps}
    if arguments.json:
        print(json.dumps(summary))
    else:
        print(f"{len(lab)} pictures and {len(lab.query_rows)} queries in {arguments.lab}")
        for name, value in maps.items():
            print(f"{name:<36} mAP@{labset.K} {value:.4f}")
    return 0


def _sweep(arguments: argparse.Namespace) -> int:
    from transclipped.experiments.lab.sweep import HEADS_AT_FIRST, STOP, Stopped, Sweep, results, run_sweep
    from transclipped.features import labset
    from transclipped.utils.machine import on_stop_signals

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
        run_sweep(labset.load(arguments.lab), sweep, arguments.out, tell=_told)
    except Stopped:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    found = results(arguments.out)
    print(json.dumps(found) if arguments.json else f"{len(found)} heads in {arguments.out}")
    return 0


def _curves(arguments: argparse.Namespace) -> int:
    from transclipped.experiments.lab.curves import compute, load
    from transclipped.features import labset

    compute(labset.load(arguments.lab), arguments.lab, TEMPERATURES, minutes=arguments.minutes, tell=_told)
    found = load(arguments.lab)
    print(json.dumps(found) if arguments.json else f"{len(found)} heads in {arguments.lab}")
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
