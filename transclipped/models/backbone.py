"""Backbones map images to embeddings: bundled ones, timm's, or custom ones.

Resolution, normalisation and width come from timm's configuration of the model. Convolutions run in channels-last
order, which is fastest on CPUs.
"""

from __future__ import annotations

import difflib
import hashlib
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import group_parameters
from torch import Tensor, nn

from transclipped.config import AUTO, IDENTITY, BackboneConfig, from_dict
from transclipped.errors import InputError
from transclipped.models import custom, hub, hybrid
from transclipped.models.grey import RECIPES, OneChannel
from transclipped.models.hybrid import EARLY_STRIDE, STEM, STEM_PREFIX, STRIDE, BesideCnn, OnMaps, joined, without_stem
from transclipped.models.weights import load_tensors, without_wrapper
from transclipped.models.zoo import BUNDLED, CNN, DISTILLED, HYBRID, MODELS, PHOTOGRAPHS

LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3  # EfficientNet-Lite: (x · 255 − 127) / 128
OVER_STEM = {  # name: prefix of its stem's tensors, and the module that follows the stem on stored maps
    CNN: ("", hybrid.CnnOnMaps),
    HYBRID: (STEM_PREFIX, OnMaps),
    DISTILLED: (STEM_PREFIX, OnMaps),
    PHOTOGRAPHS: (f"vit.{STEM_PREFIX}", hybrid.BesideOnMaps),
}
DEFAULT_SIZE = 96  # pixels, of bundled models if the data set sets no size


@dataclass(frozen=True)
class BackboneInfo:
    """What the feature cache needs of a backbone, without its weights.

    Attributes:
        image_size: pixels per side of its input.
        width: numbers in an embedding.
    """

    name: str
    fingerprint: str
    image_size: int
    width: int


class Backbone(nn.Module):
    """A network with one embedding per image.

    Args:
        network: maps `[B, 3, H, W]` to `[B, width]`.
        image_size: pixels per side of its input.
        mean, std: normalisation of each channel, on the scale [0, 1].
        variant: distinguishes it from others with the same name and weights, such as by pooling.
        framed: whether images without a native size are padded or cut to `image_size`, instead of scaled.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        image_size: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        variant: str = "",
        framed: bool = False,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last).eval()
        self.name, self.image_size, self.mean, self.std = name, image_size, tuple(mean), tuple(std)
        self.framed = framed
        self.width = getattr(network, "head_hidden_size", None) or network.num_features
        self._variant = variant
        self.fingerprint = _fingerprint(name + variant, self.network)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings `[B, width]` float32 of normalised images `[B, 3, H, W]`."""
        return self.network(images.contiguous(memory_format=torch.channels_last)).float()

    def refreshed(self) -> Backbone:
        """Itself, with its fingerprint updated after other weights were loaded."""
        self.fingerprint = _fingerprint(self.name + self._variant, self.network)
        return self


def load_backbone(
    config: BackboneConfig | str = HYBRID, *, default_size: int | None = None, **settings: Any
) -> Backbone:
    """A frozen backbone, by name or configuration.

    Args:
        config: name of a bundled, custom or timm model, or a configuration.
        default_size: pixels per side for a bundled or custom model without `image_size`.
        settings: with a name: `weights`, `image_size`, `pool` and `grey`, as in `BackboneConfig`.

    Raises:
        InputError: the name is unknown, or the weights are unavailable or do not fit.

    Examples:
        >>> backbone = tc.load_backbone("hybrid-vit", image_size=64)
        >>> backbone(torch.zeros(2, 3, 64, 64)).shape  # normalised by backbone.mean and backbone.std
        torch.Size([2, 256])
    """
    if isinstance(config, str):
        config = from_dict(BackboneConfig, {"name": config, **settings})
    elif settings:
        raise TypeError(f"set {', '.join(settings)} in the configuration instead")
    if config.name == AUTO:
        config = replace(config, name=HYBRID)
    if config.name == IDENTITY:
        return _identity(default_size)
    recipe = RECIPES.get(config.grey)
    if recipe is not None and config.image_size is None:
        config = replace(config, image_size=recipe.size)
    network, size, mean, std, variant = _network(config, default_size)
    network.requires_grad_(False)
    if recipe is not None:
        network, variant = OneChannel(network, size), f"{variant} grey {config.grey} {size}"
        size, mean, std = recipe.frame, (recipe.mean,) * 3, (recipe.std,) * 3
    framed = recipe is not None
    return Backbone(network, name=config.name, image_size=size, mean=mean, std=std, variant=variant, framed=framed)


def _network(
    config: BackboneConfig, default_size: int | None
) -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...], str]:
    """The network, its image size, mean, std and variant, as `Backbone` describes them."""
    if config.name in BUNDLED:
        return _bundled(config), config.image_size or default_size or DEFAULT_SIZE, LITE_MEAN, LITE_STD, ""
    if config.name in custom.BACKBONES:
        return custom.create(config, default_size=default_size)
    network = _from_timm(config)
    data = timm.data.resolve_model_data_config(network)
    size = config.image_size or data["input_size"][-1]
    return network, size, data["mean"], data["std"], _set_pooling(network, config)


def stem_backbone(size: int, *, stride: int = STRIDE) -> Backbone:
    """The bundled CNN up to stride 16 or 8, as a backbone whose embeddings are flat feature maps, see `StemMaps`."""
    path = BUNDLED[CNN].weights
    maps = hybrid.StemMaps(_filled(hybrid.stem(stride=stride), load_tensors(path), path), size)
    name = "stem" if stride == STRIDE else f"stem-{stride}"
    return Backbone(maps, name=name, image_size=size, mean=LITE_MEAN, std=LITE_STD)


def on_stem(backbone: Backbone) -> tuple[Backbone, nn.Module] | None:
    """The stem that the bundled models share, and the rest of `backbone` after it; None for any other backbone.

    Stored feature maps of the stem serve the CNN and every hybrid over it. Hybrids that trained the stem's last stages
    share the first ones.
    """
    if backbone.name not in BUNDLED or backbone.framed:
        return None
    prefix, rest = OVER_STEM[backbone.name]
    state = backbone.network.state_dict()
    for stride in (STRIDE, EARLY_STRIDE) if rest is OnMaps else (STRIDE,):
        shared = stem_backbone(backbone.image_size, stride=stride)
        if all(torch.equal(state[prefix + name].cpu(), t) for name, t in shared.network.stem.state_dict().items()):
            return shared, rest(backbone.network) if stride == STRIDE else OnMaps(backbone.network, stride=stride)
    return None


def set_trainable(backbone: Backbone, mode: str) -> list[nn.Parameter]:
    """Train "all" of a backbone, its last N blocks and the layers after them ("last-N"), or nothing ("frozen").

    Blocks are timm's parameter groups.

    Raises:
        InputError: the model has fewer blocks.
    """
    network = backbone.network.network if isinstance(backbone.network, OneChannel) else backbone.network
    parameters = dict(network.named_parameters())
    trained = set(parameters) if mode == "all" else set()
    if mode.startswith("last-"):
        if not hasattr(network, "group_matcher"):
            raise InputError(f"{backbone.name} has no blocks to choose from; train it frozen or all")
        groups = group_parameters(network, network.group_matcher(coarse=False))
        blocks = [names for _, names in sorted(groups.items())]  # from input to output
        if len(blocks) > 1:  # layers after the last block count as part of it
            blocks[-2:] = [blocks[-2] + blocks[-1]]
        n = int(mode.removeprefix("last-"))
        if n > len(blocks):
            raise InputError(
                f"{backbone.name} has {len(blocks)} blocks, so last-{n} is not possible; "
                f"choose last-{len(blocks)} or all"
            )
        trained = {name for block in blocks[-n:] for name in block}
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in trained)
    return [parameters[name] for name in parameters if name in trained]


def _identity(width: int | None) -> Backbone:
    """Stands for the model that computed imported embeddings; its `image_size` is their width."""
    if width is None:
        raise InputError(f"backbone {IDENTITY} takes its width from imported embeddings, and there are none")
    network = nn.Identity()
    network.num_features = width
    return Backbone(network, name=IDENTITY, image_size=width, mean=(), std=())


def _set_pooling(network: nn.Module, config: BackboneConfig) -> str:
    """Set a pooling other than the model's default; returns a suffix for the fingerprint.

    The last norm stays before the pooling, as trained, unlike with timm's option `global_pool`.
    """
    pool, default = config.pool, getattr(network, "global_pool", None)
    token = isinstance(default, str) and getattr(network, "cls_token", None) is not None
    if pool in (None, default) or (pool == "avg" and not token):  # models without a token already average
        return ""
    if not token:
        raise InputError(f"{config.name} has no class token and averages; omit backbone.pool")
    try:
        network.reset_classifier(0, pool)
    except (AssertionError, TypeError, ValueError) as error:
        raise InputError(f"{config.name} does not support pooling by {pool}: {error}; omit backbone.pool") from error
    return f" pooled by {config.pool}"


def _bundled(config: BackboneConfig) -> nn.Module:
    if config.pool == "token":
        raise InputError(f"{config.name} has no class token and averages; omit backbone.pool")
    path = weights_file(config)
    if config.name == CNN:
        return _filled(_created(STEM), load_tensors(path), path)
    vit = hybrid.hybrid_vit()
    cnn, state = load_tensors(BUNDLED[CNN].weights), without_wrapper(load_tensors(path), vit.state_dict())
    vit = _filled(vit, joined(cnn, state), path)
    if config.name != PHOTOGRAPHS:
        return vit
    if state.keys() - without_stem(state).keys():
        raise InputError(f"{path} contains a trained stem, but the CNN beside it needs the shared one; use {HYBRID}")
    return BesideCnn(_filled(_created(STEM), cnn, path), vit)


def weights_file(config: BackboneConfig) -> Path:
    """File with the weights of a model: `config.weights` or the bundled file, which other models lack."""
    if config.weights:
        return Path(config.weights).expanduser()
    return BUNDLED[config.name].weights if config.name in BUNDLED else MODELS / f"{config.name}.safetensors"


def _from_timm(config: BackboneConfig) -> nn.Module:
    _pretrained(config.name)
    if config.weights:
        path = Path(config.weights).expanduser()
        network = _created(config.name, size=config.image_size)
        state = without_wrapper(load_tensors(path), network.state_dict())
        try:
            return _filled(network, _strict(_translated(state, network), network, path), path)
        except InputError as error:
            usual = _created(config.name).state_dict().items() if config.image_size is not None else ()
            if usual and all(name in state and state[name].shape == tensor.shape for name, tensor in usual):
                raise _no_size(config.name, config.image_size, error) from error
            raise
    online = check_weights(config.name)
    try:
        with nullcontext() if online else hub.offline():
            return _created(config.name, size=config.image_size, pretrained=True)
    except InputError:
        raise
    except Exception as error:  # hub clients raise exceptions of packages that may not be installed
        if config.image_size is not None and "size mismatch" in str(error):
            raise _no_size(config.name, config.image_size, error) from error
        raise _no_weights(config.name, _first_line(error)) from error


def check_weights(name: str) -> bool:
    """Whether the server with the weights of a timm model is reachable; if not, they are cached on this machine.

    Raises:
        InputError: the model is unknown, or its weights are neither cached nor reachable.
    """
    pretrained = _pretrained(name)
    address = hub.source(pretrained)
    if address and hub.reachable(address):
        return True
    if pretrained is None or hub.cached_file(pretrained) is None:
        raise _no_weights(name, f"{address} does not answer" if address else "timm has none, or fetching is off")
    return False


def _pretrained(name: str) -> Any:
    """timm's `PretrainedCfg` of a model, None if it has none; InputError if the model or weights are unknown."""
    base = name.partition(".")[0]
    if base in timm.list_models():
        try:
            return timm.get_pretrained_cfg(name)
        except RuntimeError as error:
            raise InputError(
                f"backbone {base} has no weights {name.partition('.')[2]!r}; the command `backbones` lists them",
                setting="backbone.name",
            ) from error
    near = difflib.get_close_matches(base, [*BUNDLED, *timm.list_models()], 3)
    hint = f"did you mean {', '.join(near)}?" if near else f"bundled are {', '.join(BUNDLED)}."
    raise InputError(
        f"there is no backbone {name!r}; {hint} The command `backbones` lists them; a plug-in adds a custom one",
        setting="backbone.name",
    )


def _no_weights(name: str, why: str) -> InputError:
    return InputError(
        f"the weights of {name} cannot be fetched ({why}); connect to the network, name a weights file, or choose a "
        f"bundled backbone: {', '.join(BUNDLED)}",
        setting="backbone.name",
    )


def _created(name: str, *, size: int | None = None, pretrained: bool = False) -> nn.Module:
    """timm model without classifier; InputError if it does not take images of this size."""
    options = {"num_classes": 0, "pretrained": pretrained}
    if size is None:
        return timm.create_model(name, **options)
    try:
        network = timm.create_model(name, img_size=size, **options)
    except TypeError:  # convolutional networks take any size and lack this option
        network = timm.create_model(name, **options)
    except (AssertionError, ValueError) as error:
        raise _no_size(name, size, error) from error
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _no_size(name, size, error) from error
    return network


def _no_size(name: str, size: int, error: Exception) -> InputError:
    pretrained = _pretrained(name)
    default = "" if pretrained is None else f", {pretrained.input_size[-1]}"
    return InputError(
        f"{name} does not take images of {size} pixels per side ({_first_line(error)}); "
        f"omit backbone.image_size for its default{default}"
    )


def _translated(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Weights renamed and position embeddings resized for the network by timm, if it can; otherwise unchanged."""
    translate = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    try:
        return translate(dict(state), network) if translate else state
    except (KeyError, RuntimeError, ValueError, IndexError, AssertionError):
        return state  # of another model; `_filled` reports the difference


def _strict(state: dict[str, Tensor], network: nn.Module, path: Path) -> dict[str, Tensor]:
    """`state`, whose batch-norm statistics are the network's: embeddings would be wrong without a sign of it.

    Those of layers that the network lacks altogether, such as a classifier or projector, do not matter.
    """
    expected, layers = network.state_dict().keys(), {name for name, _ in network.named_children()}
    missing = {name for name in expected if name not in state}
    extra = {n for n in state if n not in expected and n.partition(".")[0] in layers and _is_statistic(n)}
    if not all(map(_is_statistic, missing)):  # of another model, which `_filled` reports
        return state
    for verb, names in (("lacks", missing), ("has unexpected", extra)):
        if names:
            raise InputError(
                f"{path} {verb} batch-norm statistics, {len(names)} tensors such as {min(names)}; its embeddings would "
                "be wrong, so save the model's whole state_dict() and use that"
            )
    return state


def _is_statistic(name: str) -> bool:
    return name.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")


def _filled(network: nn.Module, state: dict[str, Tensor], path: Path) -> nn.Module:
    """`network` with the weights of a file, without its classifier; InputError if they do not fit."""
    expected = network.state_dict()
    state = without_wrapper(state, expected)
    if missing := [name for name in expected if name not in state]:
        raise InputError(
            f"{path} lacks {len(missing)} of {len(expected)} tensors, such as {missing[0]}; it is from another model"
        )
    for name, tensor in expected.items():
        if state[name].shape != tensor.shape:
            raise InputError(
                f"{path} holds {name} of shape {[*state[name].shape]}, the model needs {[*tensor.shape]}; "
                "it is from another model"
            )
    network.load_state_dict({name: state[name].to(tensor.dtype) for name, tensor in expected.items()})
    return network


def _fingerprint(name: str, network: nn.Module) -> str:
    digest = hashlib.sha256(name.encode())
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
