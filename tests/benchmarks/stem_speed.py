"""Cost of training per view behind the frozen part of the stem: `python -m tests.benchmarks.stem_speed`.

CPU milliseconds of forward and backward pass on random maps of the size of 96-pixel images: the transformer alone, and
the stem's last two stages with and without training their depthwise kernels.
"""

import time
from collections.abc import Callable

import torch

from transclipped.config import BackboneConfig
from transclipped.models.backbone import load_backbone
from transclipped.models.hybrid import CHANNELS, EARLY_STRIDE, SIZE, STEM_STAGES, STRIDE, OnMaps, freeze_stem
from transclipped.models.precision import fastest_dtype
from transclipped.models.zoo import DISTILLED

BATCH, REPEATS = 512, 5


def core_ms(work: Callable[[], torch.Tensor]) -> float:
    """CPU milliseconds of forward and backward pass per view."""
    dtype = fastest_dtype(torch.device("cpu"))
    for repeat in range(REPEATS + 1):
        if repeat == 1:  # after a warm-up
            started = time.process_time()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            out = work()
        out.float().square().mean().backward()
    return (time.process_time() - started) / REPEATS / BATCH * 1000


def main() -> None:
    """Print the table."""
    vit = load_backbone(BackboneConfig(name=DISTILLED, image_size=SIZE)).network
    network = OnMaps(vit).train()
    maps = {stride: torch.randn(BATCH, c, SIZE // stride, SIZE // stride) for stride, c in CHANNELS.items()}
    freeze_stem(vit)
    print(f"transformer              {core_ms(lambda: network(maps[STRIDE].flatten(1))):6.2f} core ms a view")
    early = maps[EARLY_STRIDE].contiguous(memory_format=torch.channels_last)
    stages = vit.patch_embed.backbone.blocks[STEM_STAGES[EARLY_STRIDE] :]
    freeze_stem(vit, stride=EARLY_STRIDE)
    print(f"the stem's last stages   {core_ms(lambda: stages(early)):6.2f}")
    stages.requires_grad_(True)
    print(f"with depthwise kernels   {core_ms(lambda: stages(early)):6.2f}")


if __name__ == "__main__":
    main()
