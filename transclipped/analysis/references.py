"""BibTeX references of a run: data set, backbone, loss, clipping rule, quantizer and measures.

The works are in assets/references.bib; the tables here map settings to their keys.
"""

import re
from collections.abc import Iterable

from transclipped.config import RunConfig
from transclipped.models.zoo import BUNDLED
from transclipped.utils.files import ASSETS

FILE = ASSETS / "references.bib"
_ENTRY = re.compile(r"^@\w+\{([^\s,]+),\n(?: .*\n)+\}$", re.MULTILINE)
_ALWAYS = ("wang2022", "chen2020", "jegou2011", "mcsherry2008", "douze2024")


def _pairs(words: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in words.split())


_DATASETS = _pairs("""cifar10=krizhevsky2009 caltech101=feifei2004 collage=feifei2004 walk=feifei2004
    mirflickr=huiskes2008 flickr25k=huiskes2008 nuswide=chua2009 nus-wide=chua2009 fashionmnist=xiao2017
    embeddings=gao2021""")
_RULES = {"rank": ("dubey2024",), "rank+threshold": ("dubey2024", "huynh2022"), "debiased": ("chuang2020",)}
# of timm's, by a part of the name; all that match
_BACKBONES = _pairs("""vit_=dosovitskiy2021 efficientnet=tan2019 resnet=he2016 convnext=liu2022 .dino=caron2021
    dinov2=oquab2024 dinov3=simeoni2025 clip=radford2021 .mae=he2022""")


def cited(config: RunConfig) -> list[str]:
    """Keys of the works that a run with these settings cites, sorted."""
    keys = {*_ALWAYS, *_RULES.get(config.clipping.rule, ())}
    name = config.backbone.name
    keys |= set(BUNDLED[name].sources) if name in BUNDLED else {key for part, key in _BACKBONES.items() if part in name}
    if config.backbone.train != "frozen" or name in BUNDLED or "." in name or "_" in name:
        keys.add("wightman2019")
    if config.data.dataset in _DATASETS:
        keys.add(_DATASETS[config.data.dataset])
    return sorted(keys)


def of_stage(source: str) -> list[str]:
    """Keys of the works that the source of a pipeline's stage names, by arXiv number or DOI, or by author and year."""
    result = []
    for key, entry in entries(FILE.read_text(encoding="utf-8")).items():
        number = re.search(r"^  (?:eprint|doi) = \{(?:10\.48550/arXiv\.)?(.+)\}", entry, re.MULTILINE)
        author, year = re.match(r"([a-z]+)(\d+)", key).groups()
        named = number[1] in source if number else re.search(rf"\b{author}\b.*{year}", source.lower())
        result += [key] if named else []
    return result


def bibtex(keys: Iterable[str]) -> str:
    """Entries of a .bib file, sorted by key."""
    texts = entries(FILE.read_text(encoding="utf-8"))
    return "\n\n".join(texts[key] for key in sorted(set(keys))) + "\n"


def entries(text: str) -> dict[str, str]:
    """Entries of a .bib file by key, verbatim: `@kind{key,`, lines that begin with a space, `}`."""
    return {match[1]: match[0] for match in _ENTRY.finditer(text)}
