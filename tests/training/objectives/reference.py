"""The objectives as loops over Python floats, straight from the equations; shares no code with ours."""

import math


def cosine(x, y):
    a, b = math.sqrt(sum(v * v for v in x)), math.sqrt(sum(v * v for v in y))
    return 0.0 if a == 0 or b == 0 else sum(v * w for v, w in zip(x, y, strict=True)) / (a * b)


def other(i, n):
    return (i + n // 2) % n


def column(rows, k):
    return [row[k] for row in rows]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def queue_nt_xent(views, queue, temperature, clipped=(), own=()):
    """`clipped` and `own` hold pairs (anchor, column), the queue's columns after the views'."""
    n, losses = len(views), []
    for i in range(n):
        positive = math.exp(cosine(views[i], views[other(i, n)]) / temperature)
        total = positive
        for j, row in enumerate([*views, *queue]):
            if j not in (i, other(i, n)) and (i, j) not in clipped and (i, j) not in own:
                total += math.exp(cosine(views[i], row) / temperature)
        losses.append(-math.log(positive / total))
    return losses


def barlow(views, weight):
    b, d = len(views) // 2, len(views[0])
    halves = [standardised(views[:b]), standardised(views[b:])]
    loss = 0.0
    for k in range(d):
        for m in range(d):
            c = mean(halves[0][i][k] * halves[1][i][m] for i in range(b))
            loss += (1 - c) ** 2 if k == m else weight * c**2
    return [loss] * len(views)


def standardised(rows):
    out = [list(row) for row in rows]
    for k in range(len(rows[0])):
        centre = mean(column(rows, k))
        deviation = math.sqrt(mean((row[k] - centre) ** 2 for row in rows) + 1e-8)
        for i, row in enumerate(rows):
            out[i][k] = (row[k] - centre) / deviation
    return out


def vicreg(views, weights):
    b, d = len(views) // 2, len(views[0])
    batch = 0.0
    for rows in (views[:b], views[b:]):
        centre = [mean(column(rows, k)) for k in range(d)]
        for k in range(d):
            for m in range(d):
                c = sum((row[k] - centre[k]) * (row[m] - centre[m]) for row in rows) / max(1, b - 1)
                if k == m:
                    batch += weights[1] * max(0.0, 1 - math.sqrt(c + 1e-4)) / d / 2
                else:
                    batch += weights[2] * c**2 / d
    losses = []
    for i in range(len(views)):
        pair = zip(views[i], views[other(i, 2 * b)], strict=True)
        losses.append(weights[0] * mean((x - y) ** 2 for x, y in pair) + batch)
    return losses


def byol(predictions, targets):
    n = len(predictions)
    return [2 - 2 * cosine(predictions[i], targets[other(i, n)]) for i in range(n)]


def triplet(a, b, rule, alpha, alpha2, allowed=None, reverse=None):
    n = len(a)
    allowed = allowed or {(i, j) for i in range(n) for j in range(n) if i != j}
    reverse = reverse or allowed
    losses = []
    for i in range(n):
        for_a = [j for j in range(n) if (i, j) in allowed]
        for_b = [j for j in range(n) if (i, j) in reverse]
        if not for_a or not for_b:
            losses.append(0.0)
            continue
        c = max(for_a, key=lambda j: cosine(a[i], b[j]))  # the first of equal ones
        m = max(for_b, key=lambda j: cosine(a[j], b[i]))
        p = cosine(a[i], b[i])
        to_b, to_a = cosine(a[i], b[c]), cosine(a[m], b[i])
        within_a, within_b = cosine(a[m], a[i]), cosine(b[c], b[i])
        margins = (within_a, within_b) if rule == "margin" else (alpha, alpha)
        terms = [margins[0] - p + to_b, margins[1] - p + to_a]
        if rule == "full":
            terms += [alpha2 - p + within_a, alpha2 - p + within_b]
            terms += [alpha2 - p + cosine(a[m], b[c])] if m != c else []
        losses.append(sum(max(0.0, term) for term in terms))
    return losses
