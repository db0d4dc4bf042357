"""Images, split, backbone and cache of a configuration, loaded for training, measuring and searching."""

from dataclasses import dataclass, field, replace
from typing import Any

from transclipped import plugins
from transclipped.config import RunConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.embeddings import Embeddings
from transclipped.datasets.protocols import Split, draw
from transclipped.datasets.registry import load as load_images
from transclipped.errors import InputError
from transclipped.features.cache import FeatureCache
from transclipped.models.backbone import Backbone, load_backbone
from transclipped.models.head import Head, are_finite, head_from_state
from transclipped.models.weights import load_tensors
from transclipped.runs import imported
from transclipped.runs.run import RunDir


@dataclass
class Session:
    """One configuration, loaded.

    Attributes:
        cache: embeddings of `images` by `backbone`, if that is frozen.
        device: where networks run.
        fitted: defaults that were adapted to the number of images, by setting.
    """

    config: RunConfig
    images: ImageSet
    split: Split
    backbone: Backbone
    cache: FeatureCache
    device: str
    fitted: dict[str, int] = field(default_factory=dict)

    @property
    def frozen(self) -> bool:
        """Whether only the head is trained."""
        return self.config.backbone.train == "frozen"

    def depth(self, n_database: int) -> int:
        """K of mAP@K: as configured, else the data set's default, at most the database's size."""
        return min(self.config.k or self.images.default_k or 1000, n_database)

    def facts(self) -> dict[str, Any]:
        """Facts about images and backbone for config.json."""
        images, backbone = self.images, self.backbone
        centre = getattr(images, "centre", None)  # of imported embeddings
        return {
            **({} if centre is None else {"centre": centre.tolist()}),
            "data_fingerprint": images.fingerprint,
            "backbone_fingerprint": backbone.fingerprint,
            "width": backbone.width,
            "image_size": backbone.image_size,
            "native_size": images.native_size,
            "class_names": list(images.class_names),
            **({"fitted": self.fitted} if self.fitted else {}),
        }


def prepare(config: RunConfig, *, device: str = "cpu") -> Session:
    """Load images, split and backbone. Raises InputError if any of them is unavailable."""
    plugins.ensure(config)
    images = load_images(config.data)
    split = draw(images, config.data)
    backbone = load_backbone(config.backbone, default_size=images.default_size).to(device)
    return Session(config, images, split, backbone, FeatureCache(images, backbone, seed=config.data.seed), device)


def prepare_run(run: RunDir, *, device: str = "cpu") -> Session:
    """`prepare` with the configuration of a run. Raises InputError, also if an imported run lacks backbone weights."""
    imported.check_backbone(run)
    return prepare(run.config, device=device)


def as_trained(images: ImageSet, run: RunDir) -> ImageSet:
    """Imported embeddings with the centre of the run's embeddings; any other set unchanged."""
    return images.centred(run.record.get("centre")) if isinstance(images, Embeddings) else images


def with_images_of(session: Session, run: RunDir) -> Session:
    """The session with its images as the run was trained on them, see `as_trained`."""
    images = as_trained(session.images, run)
    if images.fingerprint == session.images.fingerprint:
        return session
    return replace(session, images=images, cache=FeatureCache(images, session.backbone, seed=session.config.data.seed))


def trained_model(
    run: RunDir, *, default_size: int | None = None, backbone: Backbone | None = None
) -> tuple[Backbone, Head]:
    """The trained backbone and head of a run.

    Args:
        default_size: pixels per side if the run does not say.
        backbone: the run's, if loaded already; trained weights are loaded into it.

    Raises:
        InputError: a file is missing or does not fit.
    """
    plugins.load_named()
    imported.check_backbone(run)
    path = run.path / "model.safetensors"
    state = load_tensors(path)
    head = head_from_state(state, run.config.quantizer, source=str(path))
    backbone = backbone or load_backbone(run.config.backbone, default_size=default_size)
    if backbone.width != head.projection.in_features:
        raise InputError(
            f"{path} expects embeddings of width {head.projection.in_features}, but {backbone.name} returns "
            f"{backbone.width}; use the backbone of the run"
        )
    trained = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    if not all(are_finite(tensor) for tensor in trained.values() if tensor.is_floating_point()):
        raise InputError(f"{path} has backbone weights that are not finite; train the run again")
    if trained:
        try:
            backbone.load_state_dict(trained)
        except RuntimeError as error:
            raise InputError(f"{path} does not fit {backbone.name}: {str(error).splitlines()[0]}") from error
    return backbone.eval(), head
