"""The field: published systems of image retrieval, where each is in this app, and what it gained here.

A gain is a difference of two measured lines of `assets/pipeline`, in mAP-min@K (precisions at relevant ranks, summed,
over min(K, R)); of objectives, of two labels of that part of the study, and of the app's own method its headline pair,
both in mAP@K. No number is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from urllib.parse import quote

from transclipped.analysis import headline
from transclipped.utils.files import ASSETS, json_lines

FOLDER = ASSETS / "pipeline"
HEADS = "objectives"  # part of the study
DATA = {"caltech101": "Caltech-101", "cifar10": "CIFAR-10", "collage": "Collage", HEADS: "CIFAR-10, heads"}
ABSTRACT, EQUATIONS = "reconstruction", "published equations"  # what a system was built from
CNN, HYBRID = "head32(size=0)", "hybrid-vit-photographs(size=0) | l2"
SMALL = "hybrid-vit(size=0) | l2"
GEM = f"{CNN} | gem(p=3) | l2"
PYRETRI = f"{GEM} | pca(dim=512) | l2"
RERANKED = "dba(k=10, alpha=0) | float | qe(k=10) | k-reciprocal(k1=20, k2=6, weight=0.3)"
FLOW = "flow(k=20, rounds=2, sharpness=0.1, components=true)"
SELECTED = (
    f"select({GEM} | float + {CNN} | scda | l2 | float + {HYBRID} | float, size=2, k=50, beta=-1, measure=reciprocal, "
    "correlation=rbo)"
)


@dataclass(frozen=True)
class Pair:
    """Two lines measured on the same data, or two labels of `HEADS`; `what` says how the second one differs."""

    data: str
    what: str
    before: str
    after: str


@dataclass(frozen=True)
class System:
    """A published system.

    Attributes:
        links: text and address of the places in the app that show it; none where only the library has it.
        source: in a few words. key: of its entry in references.bib; "" where its title could not be compared with how
            others cite it.
        pairs: what was measured of it, the main one first.
        basis: what it was built from.
    """

    name: str
    purpose: str
    links: tuple[tuple[str, str], ...]
    source: str
    key: str
    pairs: tuple[Pair, ...] = ()
    basis: str = ABSTRACT


@dataclass(frozen=True)
class Gain:
    """A measured pair: mAP in [0, 1] before and after, of what and on which data."""

    what: str
    data: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def verdict(self) -> str:
        """The gain with its sign, between the rounded numbers of `words`; a loss, or nothing, is no gain."""
        change = round(round(self.after, 3) - round(self.before, 3), 3)
        number = f"{change:+.3f}".replace("-", "−")
        return number if change > 0 else f"no gain ({number})"

    @property
    def words(self) -> str:
        return f"{self.what}, {self.data}: {self.before:.3f} → {self.after:.3f}"


def pipe(line: str, **more: str) -> str:
    """Address of the Pipeline page with a line."""
    return "pipeline?" + "&".join(f"{name}={quote(value)}" for name, value in {"pipe": line, **more}.items())


OWN = System(
    "TransClippedCLR",
    "Short codes by contrastive quantization, likely false negatives clipped",
    (("Overview", "overview"), ("Clipping", "clipping")),
    "Dubey et al. 2024, ICIP",
    "dubey2024",
    basis=EQUATIONS,
)
SYSTEMS = (
    System(
        "PyRetri",
        "A pipeline of interchangeable stages for unsupervised retrieval",
        (("Pipeline", pipe("pyretri-caltech")),),
        "Hu et al. 2020, ACM MM",
        "hu2020",
        (Pair("caltech101", "DBA, QE and k-reciprocal", f"{PYRETRI} | float", f"{PYRETRI} | {RERANKED}"),),
        EQUATIONS,
    ),
    System(
        "MPFA",
        "Keep the channels that salient places excite most",
        (("Pipeline", pipe("head32 | mpfa | mean | l2 | float")),),
        "Wang et al. 2019, ICIP; masks of Hoang et al. 2017",
        "hoang2017",
        (
            Pair(
                "collage",
                "Half of the channels instead of all",
                f"{CNN} | mean | l2 | float",
                f"{CNN} | mpfa(keep=0.5, mask=both) | mean | l2 | float",
            ),
            Pair(
                "collage",
                "A quarter of the channels instead of all",
                f"{CNN} | mean | l2 | float",
                f"{CNN} | mpfa(keep=0.25, mask=both) | mean | l2 | float",
            ),
        ),
    ),
    System(
        "Similar lighting",
        "Find images in the same light, whatever they show",
        (
            ("Retrieval", "retrieval?section=light"),
            ("Pipeline", pipe("lighting | l2 | whiten(0.6) | l2 | float")),
        ),
        "Serrano et al. 2010, ICPR",
        "",
    ),
    System(
        "WV-Net",
        "Contrastive features for radar images of the sea, with one channel",
        (("Train", "train?grey=wv-net"),),
        "Glaser et al. 2025, AIES",
        "glaser2025",
        basis=EQUATIONS,
    ),
    System(
        "Rank flow embedding",
        "Re-rank by what ranked lists say about each other",
        (("Pipeline", pipe("hybrid-vit-photographs | l2 | float | flow", section="flow")),),
        "Valem et al. 2023, IEEE TIP",
        "valem2023",
        (Pair("caltech101", "Flow after search", f"{HYBRID} | float", f"{HYBRID} | float | {FLOW}"),),
        EQUATIONS,
    ),
    System(
        "Ismail",
        "Propagate keywords and similarities to each other",
        (
            ("Words", "retrieval?section=words"),
            ("Pipeline", pipe("run:hybrid-caltech101-32-clipped | propagate")),
        ),
        "Ben Ismail 2011, thesis",
        "",
    ),
    System(
        "SDA loop closure",
        "Recognise a place that a camera visits again",
        (("Loops of a walk", "pipeline?section=walk"),),
        "Ding et al. 2018, CAC",
        "",
    ),
    System(
        "Review of contrastive retrieval",
        "Families of contrastive objectives, side by side",
        (("Train", "train?objective=barlow"), ("The study", "benchmarks?section=study&study_part=objectives")),
        "Liu 2024, ACE",
        "",
        (
            Pair(HEADS, "MoCo instead of NT-Xent", "NT-Xent", "MoCo"),
            Pair(HEADS, "BYOL instead of NT-Xent", "NT-Xent", "BYOL"),
            Pair(HEADS, "Barlow Twins instead of NT-Xent", "NT-Xent", "Barlow Twins"),
            Pair(HEADS, "VICReg instead of NT-Xent", "NT-Xent", "VICReg"),
        ),
        "a review",
    ),
    System(
        "UTRL and TPW",
        "Attend to the object, then whiten by other images first",
        (
            ("UTRL", pipe("head32 | utrl | l2 | float")),
            ("TPW", pipe("head32 | gem | l2 | tpw(64) | float")),
        ),
        "Zhang et al. 2025, IEEE TNNLS",
        "zhang2025",
        (
            Pair(
                "caltech101",
                "UTRL instead of the mean",
                f"{CNN} | mean | l2 | float",
                f"{CNN} | utrl(upsample=false, faithful=false) | l2 | float",
            ),
            Pair(
                "collage",
                "UTRL instead of the mean",
                f"{CNN} | mean | l2 | float",
                f"{CNN} | utrl(upsample=false, faithful=false) | l2 | float",
            ),
            Pair(
                "caltech101",
                "TPW instead of whitening, 64 numbers",
                f"{GEM} | whiten(power=1, dim=64) | l2 | float",
                f"{GEM} | tpw(dim=64) | float",
            ),
        ),
        EQUATIONS,
    ),
    System(
        "UAIR",
        "Learn to re-rank: one network proposes hits, another doubts them",
        (("Pipeline", pipe("hybrid-vit-photographs | l2 | float | uair")), ("Its curves", "benchmarks?section=field")),
        "Huang et al. 2019, MIPR",
        "huang2019",
        (
            Pair(
                "caltech101",
                "UAIR instead of QE",
                f"{HYBRID} | float | qe(k=10)",
                f"{HYBRID} | float | uair(rounds=20, weight=1, seed=0)",
            ),
            Pair(
                "caltech101",
                "UAIR after search",
                f"{HYBRID} | float",
                f"{HYBRID} | float | uair(rounds=20, weight=1, seed=0)",
            ),
        ),
    ),
    System(
        "UDH",
        "Learn bits that predict clusters of images",
        (
            ("Pipeline", pipe("hybrid-vit-photographs | l2 | udh")),
            ("Codebooks", "codebooks?section=hashes&hash=udh"),
        ),
        "Zhu et al. 2019, IEEE SPL",
        "",
        (
            Pair(
                "cifar10",
                "UDH instead of ITQ, 32 bits",
                f"{SMALL} | itq(bits=32)",
                f"{SMALL} | udh(bits=32, clusters=100, rounds=5)",
            ),
            Pair(
                "caltech101",
                "UDH instead of ITQ, 32 bits",
                f"{HYBRID} | itq(bits=32)",
                f"{HYBRID} | udh(bits=32, clusters=100, rounds=5)",
            ),
        ),
    ),
    System(
        "Regions and flatness",
        "Weight the regions of an image, and channels by how flat they are",
        (
            ("Regions", pipe("head32 | regions | mean | l2 | float")),
            ("Flatness", pipe("head32 | flatness | mean | l2 | float")),
        ),
        "Li et al. 2020, ICME",
        "li2020",
        (
            Pair(
                "collage",
                "Regions",
                f"{CNN} | mean | l2 | float",
                f"{CNN} | regions(groups=5) | mean | l2 | float",
            ),
            Pair(
                "collage",
                "Flatness",
                f"{CNN} | mean | l2 | float",
                f"{CNN} | flatness | mean | l2 | float",
            ),
        ),
    ),
    System(
        "ST-RPNN and trees",
        "Choose random bits by neighbours; search by the leaves of random trees",
        (
            ("Bits", pipe("hybrid-vit-photographs | l2 | strp")),
            ("Trees", "codebooks?section=hashes"),
        ),
        "Fakhr et al. 2018, NCAA",
        "",
        (
            Pair(
                "caltech101",
                "Chosen bits instead of LSH, 32 bits",
                f"{HYBRID} | lsh(bits=32)",
                f"{HYBRID} | strp(bits=32)",
            ),
            Pair(
                "caltech101",
                "Trees of 100 bytes instead of floats of 6,144",
                f"{HYBRID} | float",
                f"{HYBRID} | trees(trees=100, depth=8, score=path)",
            ),
        ),
    ),
    System(
        "Intramodal consistency",
        "Triplets that also keep images of one kind apart",
        (("The study", "benchmarks?section=study&study_part=objectives"),),
        "Mallea et al. 2025, Machine Learning",
        "",
        (
            Pair(HEADS, "Full-HN instead of HN", "HN", "Full-HN"),
            Pair(HEADS, "Full-HN, clipped instead of not", "Full-HN", "Full-HN, clipped"),
        ),
        EQUATIONS,
    ),
    System(
        "Selective rank fusion",
        "Choose without labels which rankers to fuse",
        (("Which rankers to fuse", "pipeline?section=select"),),
        "Valem and Pedronette 2020, PRL; measures of a sibling",
        "valem2020",
        (Pair("caltech101", "The chosen pair instead of the best ranker", f"{HYBRID} | float", SELECTED),),
    ),
    OWN,
)


def measured(folder: Path = FOLDER, study: Path = headline.STUDY) -> dict[tuple[str, str], float]:
    """mAP-min of each line by (data, line), and mAP of each objective by (`HEADS`, label): means over seeds.

    The last measurement of a seed counts.
    """
    values: dict[tuple[str, str], dict[object, float]] = {}

    def put(data: object, name: object, line: dict, measure: str) -> None:
        if isinstance(line.get(measure), int | float):
            values.setdefault((data, name), {})[line.get("seed")] = line[measure]

    for file in sorted(folder.glob("*.jsonl")):
        for line in filter(lambda line: isinstance(line, dict), json_lines(file)):
            put(line.get("data"), line.get("pipeline"), line, "map_r")
    for line in filter(lambda line: isinstance(line, dict), json_lines(study / f"{HEADS}.jsonl")):
        put(HEADS, line.get("label"), line, "map")
    return {key: fsum(seeds.values()) / len(seeds) for key, seeds in values.items()}


def gains(values: Mapping[tuple[str, str], float], *, own: headline.Headline | None) -> dict[str, list[Gain]]:
    """What each system gained, by name; an empty list where a line of every pair is missing."""
    result = {system.name: _gains(system, values) for system in SYSTEMS}
    if own is not None:
        what, data = "Clipping instead of none", f"{headline.DATA}, {headline.BITS} bits"
        result[OWN.name] = [Gain(what, data, own.without, own.clipped)]
    return result


def _gains(system: System, values: Mapping[tuple[str, str], float]) -> list[Gain]:
    ends = [(pair, values.get((pair.data, pair.before)), values.get((pair.data, pair.after))) for pair in system.pairs]
    return [
        Gain(pair.what, DATA.get(pair.data, pair.data), before, after)
        for pair, before, after in ends
        if before is not None and after is not None
    ]


def columns(gains: Mapping[str, list[Gain]]) -> dict[str, list[str]]:
    """The table as text, a row a system."""
    every = [gains[system.name] for system in SYSTEMS]
    return {
        "System": [system.name for system in SYSTEMS],
        "For": [system.purpose for system in SYSTEMS],
        "Gain here": ["; ".join(gain.verdict for gain in each) or "–" for each in every],
        "Measured": ["; ".join(gain.words for gain in each) or "–" for each in every],
        "Built from": [system.basis for system in SYSTEMS],
        "Source": [system.source for system in SYSTEMS],
    }
