"""Rank flow embedding of queries that are no items, which join as `joining` says.

Of the hyperedges, those of the lists that a query changes are recomputed, rows of E and columns of E alike, and of all
products the rows of these lists. The connected parts stay, but a query may connect to one, and counts in all that it is
among the strongest of.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import by_place, entries, first_distinct, matrix, own_lists, reaching, start
from transclipped.retrieval.orders import Order, sampled, sort, with_entering
from transclipped.retrieval.reranking.flow import Hyperedges, Parts, Steps, normalised, steps, strongest_sums, weight
from transclipped.retrieval.reranking.joining import Near, joining, replaced, without
from transclipped.retrieval.stages import Collection, stage

DEPTH = 200  # length of the lists


@stage(
    "flow",
    kind="reranking",
    idea="Lists become hyperedges, these an embedding, and its connected parts correct the lists.",
    formula="H = E ∘ Eᵀ, E = W + W²; S = Hᵀ diag(e) H",
    source="arXiv 2304.12448",
    bounds={"k": (2, 1000), "rounds": (0, 10), "sharpness": (0, 10)},
)
def rerank(
    hits: Hits,
    collection: Collection,
    *,
    k: int = 20,
    rounds: int = 2,
    sharpness: float = 0.1,
    components: bool = True,
) -> Hits:
    """Hits `[Q, K]` scored by place: the first 199 in their new order, then the others in their first one."""
    options = {"k": k, "rounds": rounds, "sharpness": sharpness, "components": components}
    return list(after_each_step(hits, collection, **options).values())[-1]


def after_each_step(
    hits: Hits, collection: Collection, *, k: int, rounds: int, sharpness: float, components: bool
) -> dict[str, Hits]:
    """Hits `[Q, K]` "before" and after each of the steps of `flow`, by name."""
    queries = start(hits, collection)
    if collection.index.n < 4 or not hits.rows.size:
        return {"before": hits}
    name = ("flow", k, rounds, sharpness, components)
    first = own_lists(collection, DEPTH)
    k = min(k, first.rows.shape[1] - 1)
    if name not in collection.memo:
        options = {"k": k, "rounds": rounds, "sharpness": sharpness, "components": components}
        collection.memo[name] = steps(first.rows, **options)
    database, first = collection.memo[name], Order(first.rows, first.scores)
    rows = reaching(hits, queries, collection, first.lists.shape[1] - 1)
    result: dict[str, list[np.ndarray]] = {}
    for q, near in enumerate(joining(first, database.back, queries, rows, collection, k=k)):
        for step, order in join(database, near, k, rounds, sharpness).items():
            both = np.concatenate([order[1:], hits.rows[q]])[None]
            result.setdefault(step, []).append(first_distinct(both, hits.rows.shape[1]))
    return {"before": hits} | {step: by_place(np.concatenate(lists)) for step, lists in result.items()}


def join(database: Steps, near: Near, k: int, rounds: int, sharpness: float) -> dict[str, np.ndarray]:
    """The list `[L]` of a query after each step, N for the query itself at the front."""
    edges, position = iter(database.edges), np.arange(1, near.lists.shape[1] + 1)
    lists, _ = sort(near.lists, normalised(near.back, k, sharpness))
    result = {"normalised": lists[-1]}
    for _ in range(rounds):
        others = next(edges)
        similarity = products(hyperedges(others, near.rows, lists, k), near.rows, others.h)
        lists, _ = sort(lists, sampled(similarity, lists) / position)
    result["hyperedges"] = lists[-1]
    others = next(edges)
    lists = _product(hyperedges(others, near.rows, lists, k), near.rows, lists, others, k)
    result["product"] = lists[-1]
    if database.parts is not None:
        others = next(edges)
        h = hyperedges(others, near.rows, lists, k)
        similarity, own = (x[[-1]].toarray()[0] for x in (products(h, near.rows, others.h), h))
        e = strengths(h, near.rows, others, k)
        part = own_part(lists[-1, 1:k], similarity * e * e[-1], database.parts)
        result["components"] = _by_parts(lists[-1], own, similarity, part, database.parts, k)
    return result


def hyperedges(database: Hyperedges, rows: np.ndarray, lists: np.ndarray, k: int) -> sp.csr_array:
    """Rows of H, `[c, N + 1]`, where the lists of `rows` `[c]` are `lists` `[c, L]`, and all others as they were."""
    changed, n = rows[:-1], rows[-1]
    w = matrix(lists[:, : k - 1], weight(np.arange(1, k), k), n + 1)
    inside = sp.csr_array(w[:, rows])
    forth = w + inside @ w + without(without(w, rows, n) @ database.w, rows[:0], n + 1)
    others = sp.vstack([database.transposed[changed], sp.csr_array((1, n))], format="csr")
    columns = replaced(others, rows, sp.csr_array(inside.T))  # of W, as rows
    twice = replaced(without(columns, rows[-1:], n) @ database.transposed, rows, sp.csr_array(columns @ w.T))
    return sp.csr_array(forth.multiply(columns + twice))


def products(h: sp.csr_array, rows: np.ndarray, others: sp.csr_array, e: np.ndarray | None = None) -> sp.csr_array:
    """Σ_o h_o e_o H_o· `[c, N + 1]` of rows `h` of H, which stand for `rows` of it; the `others` are as they were.

    e: `[N + 1]`, 1 if None.
    """
    n = rows[-1]
    weighted = h if e is None else sp.csr_array(h.multiply(e))
    result = sp.csr_array(weighted[:, rows]) @ h + without(without(weighted, rows, n) @ others, rows[:0], n + 1)
    return replaced(result, rows, sp.csr_array(weighted @ h.T))


def strengths(h: sp.csr_array, rows: np.ndarray, database: Hyperedges, k: int) -> np.ndarray:
    """e of all items and the query, `[N + 1]`."""
    e = np.append(database.e, 0)
    e[rows] = strongest_sums(h, k) / database.largest
    return e


def _product(h: sp.csr_array, rows: np.ndarray, lists: np.ndarray, database: Hyperedges, k: int) -> np.ndarray:
    """Lists `[c, L]` after step 3."""
    s = products(h, rows, database.h, strengths(h, rows, database, k))
    row, column = entries(s)
    s.data[column == rows[row]] = np.inf  # an item's own comes first
    return with_entering(lists, s)


def own_part(near: np.ndarray, value: np.ndarray, groups: Parts) -> int:
    """The part that a query connects to by its best pair with an item of `near`; −1 if that is too weak."""
    best = near[value[near].argmax()]
    return int(groups.part[best]) if value[best] >= groups.least else -1


def _by_parts(order: np.ndarray, h: np.ndarray, similarity: np.ndarray, own: int, groups: Parts, k: int) -> np.ndarray:
    """The list `[L]` of a query after step 4: among the k strongest of a part, it counts as one of them.

    Args:
        h: its row of H, `[N + 1]`. similarity: ⟨H_q, H_i⟩, `[N + 1]`. own: the part that it connects to, or −1.
    """
    n, length, items = len(h) - 1, len(order), h[:-1]
    strength = groups.members @ items  # of the query in c_r
    embedding = groups.sums @ items
    if own >= 0:
        strength[own] += h[n]
        embedding[own] += items @ items
    embedding += h[n] * strength
    table = np.zeros(n + 1)
    for r in np.flatnonzero(strength):
        members, strong = groups.strongest[r], groups.strength[r]
        if r == own:
            total = groups.sums[[r]].toarray()[0] + items
            members = np.lexsort((np.arange(n), -total))[:k]
            members, strong = members[total[members] > 0], total[members][total[members] > 0]
        before = int((strong > strength[r]).sum())
        if before == k:
            continue
        rows = np.insert(members, before, n)[:k]
        root = np.sqrt((before + 1) * np.arange(1, len(rows) + 1))
        product = np.full(len(rows), embedding @ embedding)
        others = rows != n
        product[others] = groups.embedding[rows[others]] @ embedding
        if own >= 0:
            product[others] += similarity[rows[others]] * embedding[own]
        present = order == rows[:, None]
        position = np.where(present.any(1), present.argmax(1) + 1, length + 2)
        table[rows] = (1 + root * product) / position
    return with_entering(order[None], sp.csr_array(table[None]))[0]
