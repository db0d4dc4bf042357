"""Student's interval of a mean: how far the mean of a few seeds may lie from that of all.

mean ± t · s / √n, t the 97.5 % quantile for n − 1 degrees of freedom, s the sample's standard deviation.
"""

from __future__ import annotations

import math


def half_width(deviation: float, n: int) -> float:
    """Half the 95 % interval of the mean of `n` values with standard deviation `deviation`; NaN for fewer than two."""
    if n < 2:
        return math.nan
    from scipy.special import stdtrit  # scipy.stats takes three times as long to import

    return float(stdtrit(n - 1, 0.975)) * deviation / math.sqrt(n)
