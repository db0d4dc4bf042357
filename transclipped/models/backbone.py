"""Backbone: images in, embeddings out; bundled, from timm, or from a file of weights.

Resolution, normalisation and feature width are the model's own, as timm's data configuration tells them.
Convolutions run in channels-last order, which is what processors like.
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
from transclipped.models import custom as own
from transclipped.models import hub
from transclipped.models.hybrid import (
    EARLY_STRIDE,
    STEM,
    STEM_PREFIX,
    STRIDE,
    BesideCnn,
    BesideOnMaps,
    CnnOnMaps,
    OnMaps,
    StemMaps,
    hybrid_vit,
    joined,
    stem,
    without_stem,
)
from transclipped.models.weights import load_tensors, without_wrapper
from transclipped.models.zoo import BUNDLED, CNN, DISTILLED, HYBRID, MODELS, PHOTOGRAPHS

LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3  # EfficientNet-Lite: (x · 255 − 127) / 128
OVER_STEM = {  # name: where its stem's tensors are, and what follows the stem on stored maps
    CNN: ("", CnnOnMaps),
    HYBRID: (STEM_PREFIX, OnMaps),
    DISTILLED: (STEM_PREFIX, OnMaps),
    PHOTOGRAPHS: (f"vit.{STEM_PREFIX}", BesideOnMaps),
}
DEFAULT_SIZE = 96  # of bundled models, where the data set has no better idea


@dataclass(frozen=True)
class BackboneInfo:
    """What the feature cache needs to know of a backbone, without its weights.

    Attributes:
        image_size: pixels a side that it is fed.
        width: numbers in an embedding.
    """

    name: str
    fingerprint: str
    image_size: int
    width: int


class Backbone(nn.Module):
    """A network whose output is one embedding an image.

    Args:
        network: maps `[B, 3, H, W]` to `[B, width]`, or to a feature map that is averaged.
        name: of the model.
        image_size: pixels a side it is fed.
        mean, std: normalisation of each channel, on the scale [0, 1].
        variant: what tells it apart from others of the same name and weights, such as its pooling.
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
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last).eval()
        self.name, self.image_size, self.mean, self.std = name, image_size, tuple(mean), tuple(std)
        self.width = getattr(network, "head_hidden_size", None) or network.num_features
        self._variant = variant
        self.fingerprint = _fingerprint(name + variant, self.network)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings `[B, width]` float32 of normalised images `[B, 3, H, W]`."""
        return self.network(images.contiguous(memory_format=torch.channels_last)).float()

    def refreshed(self) -> Backbone:
        """Itself, under the fingerprint of the weights that it has now: after others were loaded into it."""
        self.fingerprint = _fingerprint(self.name + self._variant, self.network)
        return self


def load_backbone(
    config: BackboneConfig | str = HYBRID, *, default_size: int | None = None, **settings: Any
) -> Backbone:
    """A frozen backbone, by its name or configuration.

    Args:
        config: a bundled model or any timm model; or a configuration, which holds the settings too.
        default_size: pixels a side for a bundled model, where no setting gives them.
        settings: beside a name: `weights`, `image_size` and `pool`, as in `BackboneConfig`.

    Raises:
        InputError: the name is unknown, the weights cannot be had or do not fit.

    Examples:
        >>> backbone = tc.load_backbone("hybrid-vit", image_size=64)
        >>> backbone(torch.zeros(2, 3, 64, 64)).shape  # normalised by backbone.mean and backbone.std
        torch.Size([2, 256])
    """
    if isinstance(config, str):
        config = from_dict(BackboneConfig, {"name": config, **settings})
    elif settings:
        raise TypeError(f"a configuration holds {', '.join(settings)} itself")
    if config.name == AUTO:
        config = replace(config, name=HYBRID)
    if config.name == IDENTITY:
        return _identity(default_size)
    variant = ""
    if config.name in BUNDLED:
        network = _bundled(config)
        size, mean, std = config.image_size or default_size or DEFAULT_SIZE, LITE_MEAN, LITE_STD
    elif config.name in own.BACKBONES:
        network, size, mean, std, variant = own.create(config, default_size=default_size)
    else:
        network = _from_timm(config)
        known = timm.data.resolve_model_data_config(network)
        size, mean, std = config.image_size or known["input_size"][-1], known["mean"], known["std"]
        variant = _pooled(network, config)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return Backbone(network, name=config.name, image_size=size, mean=mean, std=std, variant=variant)


def stem_backbone(size: int, *, stride: int = STRIDE) -> Backbone:
    """The bundled CNN up to a stride as a backbone of flat feature maps, see `StemMaps`.

    Args:
        size: pixels a side.
        stride: of the maps, 16 or 8.
    """
    path = BUNDLED[CNN].weights
    maps = StemMaps(_filled(stem(stride=stride), load_tensors(path), path), size)
    name = "stem" if stride == STRIDE else f"stem-{stride}"
    return Backbone(maps, name=name, image_size=size, mean=LITE_MEAN, std=LITE_STD)


def on_stem(backbone: Backbone) -> tuple[Backbone, nn.Module] | None:
    """The stem that the bundled models share, and what of `backbone` follows it; None for any other backbone.

    Feature maps of the stem, once stored, serve the CNN and every hybrid over it. A hybrid that trained the stem's
    last stages shares the first ones with others of its kind.
    """
    if backbone.name not in BUNDLED:
        return None
    prefix, rest = OVER_STEM[backbone.name]
    shared = stem_backbone(backbone.image_size)
    if _begins_with(backbone.network, prefix, shared.network.stem):
        return shared, rest(backbone.network)
    if rest is not OnMaps:
        return None
    shared = stem_backbone(backbone.image_size, stride=EARLY_STRIDE)
    if _begins_with(backbone.network, prefix, shared.network.stem):
        return shared, OnMaps(backbone.network, stride=EARLY_STRIDE)
    return None


def _begins_with(network: nn.Module, prefix: str, stem: nn.Module) -> bool:
    """Whether the tensors of `stem` are those of `network` under a prefix."""
    own = network.state_dict()
    return all(torch.equal(own[prefix + name].cpu(), tensor) for name, tensor in stem.state_dict().items())


def set_trainable(backbone: Backbone, mode: str) -> list[nn.Parameter]:
    """Let all of a backbone learn, its last N blocks with what follows them ("last-N"), or nothing ("frozen").

    Blocks are timm's parameter groups, counted from the output.

    Raises:
        InputError: the model has fewer blocks.
    """
    parameters = dict(backbone.network.named_parameters())
    chosen = set(parameters) if mode == "all" else set()
    if mode.startswith("last-"):
        if not hasattr(backbone.network, "group_matcher"):
            raise InputError(f"{backbone.name} has no blocks to choose from; train it frozen or all")
        blocks = _blocks(backbone.network)
        n = int(mode.removeprefix("last-"))
        if n > len(blocks):
            raise InputError(
                f"{backbone.name} has {len(blocks)} blocks, so last-{n} cannot be; choose last-{len(blocks)} or all"
            )
        chosen = {name for block in blocks[-n:] for name in block}
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in chosen)
    return [parameters[name] for name in parameters if name in chosen]


def _blocks(network: nn.Module) -> list[list[str]]:
    """Parameter names block by block, from input to output; what follows the last block counts to it."""
    groups = group_parameters(network, network.group_matcher(coarse=False))
    names = [names for _, names in sorted(groups.items())]
    if len(names) > 1:
        names[-2:] = [names[-2] + names[-1]]
    return names


def _identity(width: int | None) -> Backbone:
    """Stands for whatever made the embeddings; its `image_size` is their width."""
    if width is None:
        raise InputError(f"backbone {IDENTITY} takes its width from embeddings made elsewhere, and there are none")
    network = nn.Identity()
    network.num_features = width
    return Backbone(network, name=IDENTITY, image_size=width, mean=(), std=())


def _pooled(network: nn.Module, config: BackboneConfig) -> str:
    """Set another pooling than the model's own; says so in a word.

    The last norm stays where it was trained, before the pooling, unlike with timm's option `global_pool`.
    """
    pool, was = config.pool, getattr(network, "global_pool", None)
    token = isinstance(was, str) and getattr(network, "cls_token", None) is not None
    if pool in (None, was) or (pool == "avg" and not token):  # the rest average already
        return ""
    if not token:
        raise InputError(f"{config.name} has no class token, it averages; leave backbone.pool out")
    try:
        network.reset_classifier(0, pool)
    except (AssertionError, TypeError, ValueError) as error:
        raise InputError(f"{config.name} cannot be pooled by {pool}: {error}; leave backbone.pool out") from error
    return f" pooled by {config.pool}"


def _bundled(config: BackboneConfig) -> nn.Module:
    if config.pool == "token":
        raise InputError(f"{config.name} has no class token, it averages; leave backbone.pool out")
    path = weights_file(config)
    if config.name == CNN:
        return _filled(_created(STEM), load_tensors(path), path)
    vit = hybrid_vit()
    cnn, own = load_tensors(BUNDLED[CNN].weights), without_wrapper(load_tensors(path), vit.state_dict())
    vit = _filled(vit, joined(cnn, own), path)
    if config.name != PHOTOGRAPHS:
        return vit
    if own.keys() - without_stem(own).keys():
        raise InputError(
            f"{path} brings a stem that it trained, but the CNN beside it needs the shared one; use it as {HYBRID}"
        )
    return BesideCnn(_filled(_created(STEM), cnn, path), vit)


def weights_file(config: BackboneConfig) -> Path:
    """File with the weights of a model: the given one, or that of a bundled one; of other models there is none."""
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
            return _filled(network, _translated(state, network), path)
        except InputError as error:
            if config.image_size is not None and _fits(_created(config.name), state):
                raise _no_size(config.name, config.image_size, error) from error
            raise
    online = check_weights(config.name)
    try:
        with nullcontext() if online else hub.offline():
            return _created(config.name, size=config.image_size, pretrained=True)
    except InputError:
        raise
    except Exception as error:  # hub clients raise their own kinds, which may not be installed to be named
        if config.image_size is not None and "size mismatch" in str(error):
            raise _no_size(config.name, config.image_size, error) from error
        raise _no_weights(config.name, _first_line(error)) from error


def check_weights(name: str) -> bool:
    """Whether the server with the weights of a timm model answers; if it does not, they are on this machine.

    Raises:
        InputError: the model is unknown, or its weights are neither here nor there.
    """
    pretrained = _pretrained(name)
    address = hub.source(pretrained)
    if address and hub.reachable(address):
        return True
    if pretrained is None or hub.cached_file(pretrained) is None:
        raise _no_weights(name, f"{address} does not answer" if address else "none are known, or fetching is off")
    return False


def _pretrained(name: str) -> Any:
    """timm's `PretrainedCfg` of a model, None if it has none.

    Raises:
        InputError: there is no such model, or it has no weights of that name.
    """
    base = name.partition(".")[0]
    if base in timm.list_models():
        try:
            return timm.get_pretrained_cfg(name)
        except RuntimeError as error:
            raise InputError(
                f"backbone {base} has no weights called {name.partition('.')[2]!r}; the command `backbones` lists them",
                setting="backbone.name",
            ) from error
    near = difflib.get_close_matches(base, [*BUNDLED, *timm.list_models()], 3)
    hint = f"did you mean {', '.join(near)}?" if near else f"bundled are {', '.join(BUNDLED)}."
    raise InputError(
        f"there is no backbone {name!r}; {hint} The command `backbones` lists them, and one of your own is a plug-in",
        setting="backbone.name",
    )


def _no_weights(name: str, why: str) -> InputError:
    return InputError(
        f"the weights of {name} cannot be fetched ({why}); connect to the network, name a file of weights, or choose a "
        f"bundled backbone: {', '.join(BUNDLED)}",
        setting="backbone.name",
    )


def _created(name: str, *, size: int | None = None, pretrained: bool = False) -> nn.Module:
    """timm model without classifier, accepting the given size.

    Raises:
        InputError: it takes no images of that size.
    """
    options = {"num_classes": 0, "pretrained": pretrained}
    if size is None:
        return timm.create_model(name, **options)
    try:
        network = timm.create_model(name, img_size=size, **options)
    except TypeError:  # convolutional networks take any size and have no such option
        network = timm.create_model(name, **options)
    except (AssertionError, ValueError) as error:
        raise _no_size(name, size, error) from error
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _no_size(name, size, error) from error
    return network


def _fits(network: nn.Module, state: dict[str, Tensor]) -> bool:
    """Whether weights are those of a network, as far as names and shapes tell."""
    return all(name in state and state[name].shape == own.shape for name, own in network.state_dict().items())


def _no_size(name: str, size: int, error: Exception) -> InputError:
    pretrained = _pretrained(name)
    native = "its own" if pretrained is None else f"its own, {pretrained.input_size[-1]}"
    return InputError(
        f"{name} takes no images of {size} pixels a side ({_first_line(error)}); leave backbone.image_size out for "
        f"{native}"
    )


def _translated(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Weights under timm's names, position embeddings at the network's size, where timm knows how; else as they are."""
    translate = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if translate is None:
        return state
    try:
        return translate(dict(state), network)
    except (KeyError, RuntimeError, ValueError, IndexError, AssertionError):
        return state  # of another model; `_filled` says in what it differs


def _filled(network: nn.Module, state: dict[str, Tensor], path: Path) -> nn.Module:
    """`network` with the weights of a file; a classifier in the file is left out.

    Raises:
        InputError: the file lacks tensors, or has them in other shapes.
    """
    own = network.state_dict()
    state = without_wrapper(state, own)
    if missing := [name for name in own if name not in state]:
        raise InputError(
            f"{path} lacks {len(missing)} of {len(own)} tensors, such as {missing[0]}; it is of another model"
        )
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            raise InputError(
                f"{path} holds {name} of shape {[*state[name].shape]}, the model needs {[*tensor.shape]}; "
                "it is of another model"
            )
    network.load_state_dict({name: state[name].to(own[name].dtype) for name in own})
    return network


def _fingerprint(name: str, network: nn.Module) -> str:
    digest = hashlib.sha256(name.encode())
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
