"""Maps for tests of pooling."""

import numpy as np


def some(b=3, c=7, h=4, w=5, seed=0):
    """Maps `[b, c, h, w]` float32, half of the values negative."""
    return np.random.default_rng(seed).normal(size=(b, c, h, w)).astype(np.float32)


def clamped(maps):
    """Each image's values as nested lists of Python floats, negative ones as 0: `[b][c][h][w]`."""
    return [[[[max(0.0, float(v)) for v in row] for row in channel] for channel in image] for image in maps]


def sides(image):
    """Height and width of nested lists `[c][h][w]`."""
    return len(image[0]), len(image[0][0])
