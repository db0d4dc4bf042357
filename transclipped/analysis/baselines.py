"""mAP that the app shows for several settings, described in one sentence so that they are not compared by mistake.

Without clipping, heads reach 0.63 on Overview, 0.42 to 0.52 on the lab set and 0.70 in a bundled run: backbone, images
searched, K or temperature differ. No pandas here, as in headline.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from transclipped.analysis.benchmarks import protocol_of
from transclipped.analysis.headline import BITS, Headline, K, results
from transclipped.analysis.headline import STUDY as FOLDER
from transclipped.runs.run import RunDir

CIFAR10 = "cifar10 I"  # the data of the headline, the study's curve and the lab set
SEARCHED = 50_000  # images of it
STUDY = "in the study"
LAB, LAB_BACKBONE, LAB_SEARCHED = "on the lab set", "hybrid-vit-distilled", 5000
WORDS = {"data": "{}", "backbone": "{}", "bits": "{} bits", "searched": "{:,} images", "k": "mAP@{}"}
WORDS |= {"temperature": "τ = {:g}"}


@dataclass(frozen=True)
class Setting:
    """A value and what it depends on.

    Attributes:
        value: in words, such as "0.629 above".
        data: data set and protocol; searched: images of it; None where it varies or does not matter, as others.
        temperature: τ of the loss.
    """

    value: str
    backbone: str
    data: str = CIFAR10
    bits: int = BITS
    searched: int | None = SEARCHED
    k: int = K
    temperature: float | None = None


def sentence(what: str, settings: Iterable[Setting | None]) -> str:
    """Each value with what differs between them; empty where fewer than two are known or nothing differs.

    Args:
        what: names the values, such as "mAP without clipping".
    """
    known = [each for each in settings if each is not None]
    columns = {name: [getattr(each, name) for each in known] for name in WORDS}
    differing = [name for name, column in columns.items() if None not in column and len(set(column)) > 1]
    if not differing:
        return ""
    words = (", ".join(WORDS[name].format(getattr(each, name)) for name in differing) for each in known)
    parts = [f"{each.value} ({word})" for each, word in zip(known, words, strict=True)]
    return f"{what} depends on the setting: {', '.join(parts)}."


def of_headline(pair: Headline | None, where: str = "above", *, both: bool = False) -> Setting | None:
    """Where the headline starts or, with `both`, the whole pair, whose two temperatures differ."""
    if pair is None:
        return None
    if both:
        return Setting(f"{pair.without:.3f} → {pair.clipped:.3f} {where}", pair.backbone)
    return Setting(f"{pair.without:.3f} {where}", pair.backbone, temperature=pair.temperature)


def of_lab(without: float, *, k: int, temperature: float) -> Setting:
    """A head of the lab set, trained without clipping."""
    return Setting(f"{without:.3f} {LAB}", LAB_BACKBONE, searched=LAB_SEARCHED, k=k, temperature=temperature)


def of_study(temperature: float, folder: Path = FOLDER) -> Setting | None:
    """The study's head without clipping at a temperature, for one backbone; None where the study lacks it."""
    lines = [line for line in results(folder, "curve") if (line["rule"], line["temperature"]) == ("none", temperature)]
    if not lines:
        return None
    value = fmean(line["map"] for line in lines)
    return Setting(f"{value:.3f} {STUDY}", lines[0]["backbone"], temperature=temperature)


def of_run(run: RunDir, metrics: dict, value: float) -> Setting:
    """A measured run."""
    config = run.config
    options = {"data": f"{config.data.dataset} {protocol_of(config.data)}", "bits": config.quantizer.bits}
    options |= {"searched": metrics.get("n_database"), "k": metrics["k"]}
    return Setting(f"{value:.3f} of {run.name}", config.backbone.name, **options)
