"""The bundled backbones: descriptions, files and sources. Importing this module does not load torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transclipped.config import SUITED, SUITED_TO_PHOTOGRAPHS
from transclipped.utils.files import ASSETS

MODELS = ASSETS / "models"
CNN = "efficientnet-lite0"
HYBRID, PHOTOGRAPHS = SUITED, SUITED_TO_PHOTOGRAPHS
DISTILLED = "hybrid-vit-distilled"


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """A backbone that comes with the project.

    Attributes:
        words: a short description.
        kind: how it was trained, as in `catalogue.Entry`.
        file: stem of its weights file; by default, the name.
        sources: keys of the papers that it builds on, as in `analysis.references`.
    """

    name: str
    words: str
    kind: str = "hybrid"
    file: str = ""
    sources: tuple[str, ...] = ("dosovitskiy2021", "tan2019")

    @property
    def weights(self) -> Path:
        """Its weights file; a hybrid's omits the part of the stem that equals the CNN's."""
        return MODELS / f"{self.file or self.name}.safetensors"

    @property
    def card(self) -> Path:
        """Its model card, in Markdown."""
        return MODELS / f"{self.name}.md"


BUNDLED = {
    backbone.name: backbone
    for backbone in (
        Bundled(name=CNN, words="EfficientNet-Lite0, a CNN", kind="supervised", sources=("tan2019",)),
        Bundled(name=HYBRID, words="Hybrid ViT on an ImageNet-trained stem"),
        Bundled(name=DISTILLED, words="The hybrid ViT before its contrastive training"),
        Bundled(name=PHOTOGRAPHS, words="Distilled hybrid ViT beside the whole CNN, for photographs", file=DISTILLED),
    )
}


def available() -> list[str]:
    """Names of the bundled backbones whose files are on this machine."""
    return [name for name, backbone in BUNDLED.items() if backbone.weights.is_file() and BUNDLED[CNN].weights.is_file()]
