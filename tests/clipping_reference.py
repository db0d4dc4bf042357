"""Clipping and its losses as loops over Python floats, straight from the equations; shares no code with ours."""

import math
from fractions import Fraction

RULES = ("none", "rank", "threshold", "rank+threshold", "adaptive", "debiased")


def negatives_of(i, n):
    """Rows but the anchor's own and its other view's, in order."""
    return [j for j in range(n) if j not in (i, (i + n // 2) % n)]


def warm_up(config, epoch):
    if epoch >= config.full:
        return Fraction(1)
    if epoch <= config.start:
        return Fraction(0)
    return (Fraction(epoch) - Fraction(config.start)) / (Fraction(config.full) - Fraction(config.start))


def clipped_of(i, s, config, epoch=math.inf):
    """Rows clipped for anchor i, and the cosine used by `clamp`."""
    js = negatives_of(i, len(s))
    ordered = sorted(js, key=lambda j: (-s[i][j], j))
    top = ordered[: math.floor(Fraction(str(config.fraction)) * len(js))]
    level = None
    if config.rule == "rank":
        picked = top
    elif config.rule == "threshold":
        picked, level = [j for j in js if s[i][j] > config.threshold], config.threshold
    elif config.rule == "rank+threshold":
        picked, level = [j for j in top if s[i][j] > config.threshold], config.threshold
    elif config.rule == "adaptive" and js:
        mean = sum(s[i][j] for j in js) / len(js)
        sigma = math.sqrt(sum((s[i][j] - mean) ** 2 for j in js) / len(js))
        level = mean + config.sigma * sigma
        picked = [j for j in js if s[i][j] > level + 1e-6]
    else:
        picked = []
    kept = [j for j in ordered if j in picked][: math.floor(warm_up(config, epoch) * len(picked))]
    if level is None:
        level = min((s[i][j] for j in kept), default=1.0)
    return set(kept), level


def loss_of(i, s, seen, config, temperature, epoch=math.inf):
    """ℓ_i in nats from cosines s; the cosines `seen` decide what is clipped."""
    n = len(s)
    js = negatives_of(i, n)
    positive = math.exp(s[i][(i + n // 2) % n] / temperature)
    if config.rule == "debiased":
        rho = config.class_prior * float(warm_up(config, epoch))
        if not js:
            return 0.0
        mean = sum(math.exp(s[i][j] / temperature) for j in js) / len(js)
        total = len(js) * max((mean - rho * positive) / (1 - rho), math.exp(-1 / temperature))
        return -math.log(positive / (positive + total))
    clipped, level = clipped_of(i, seen, config, epoch)
    total = 0.0
    for j in js:
        if j not in clipped:
            total += math.exp(s[i][j] / temperature)
        elif config.treatment == "clamp":
            total += math.exp(level / temperature)
    return -math.log(positive / (positive + total))
