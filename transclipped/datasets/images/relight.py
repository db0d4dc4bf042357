"""A photograph in other light: brighter or darker, warmer or cooler.

A display shows a stored value v as light proportional to v^γ with γ = 2.2. Scaling the light of a channel by a factor g
therefore scales its values by g^(1/γ), and what exceeds 255 is white, as on an overexposed film:

    v' = min(255, v · g_c^(1/γ)),  g = 2^exposure · (2^warmth, 1, 2^−warmth) for red, green, blue.

Green stays, so warmth changes the colour more than the brightness.

Source: Poynton 2012, "Digital Video and HD", chapter 27 (gamma).
"""

import numpy as np

GAMMA = 2.2
STOPS, WARMEST = 2.0, 1.0  # largest exposure and warmth, either way; a stop is a factor of 2


def relit(pixels: np.ndarray, *, exposure: float = 0.0, warmth: float = 0.0) -> np.ndarray:
    """Pixels in other light.

    Args:
        pixels: `[…, 3]` uint8, red, green, blue.
        exposure: stops by which all light grows, in [-2, 2].
        warmth: stops by which red light grows and blue shrinks, in [-1, 1].

    Returns:
        `[…, 3]` uint8; equal to `pixels` if both are 0.

    Raises:
        ValueError: not such pixels, or out of range.
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.shape[-1:] != (3,):
        raise ValueError(f"need pixels […, 3] of bytes, got {pixels.dtype} {[*pixels.shape]}")
    for name, value, most in (("exposure", exposure, STOPS), ("warmth", warmth, WARMEST)):
        if not -most <= value <= most:  # refuses NaN too
            raise ValueError(f"{name} is {value}; choose from [{-most:g}, {most:g}]")
    gains = 2 ** ((exposure + warmth * np.array([1, 0, -1])) / GAMMA)
    table = np.minimum(255, np.arange(256)[:, None] * gains).round().astype(np.uint8)  # [256, 3]
    return table[pixels, np.arange(3)]
