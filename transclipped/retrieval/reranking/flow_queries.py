"""Rank flow embedding of queries that are no items: each joins the database's lists, hyperedges and parts as they are.

A query stands in an item's list where its own value places it, so that its hyperedge, and the numbers that items have
for it, follow from the database's matrices. With its weights b of items, and its weights a in their lists,

    E_q = 2b + bW,  E_·q = 2a + Wa,  H_q = E_q ∘ E_·q,

and the other steps are the rows of the query in the products of `flow`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import by_place, first_distinct, matrix, own_lists, parts, reaching, start
from transclipped.retrieval.orders import Order, sort, with_entering
from transclipped.retrieval.reranking.cprr import Change, Joined, first_place
from transclipped.retrieval.reranking.flow import Hyperedges, Parts, Steps, sigma, steps, strongest_sums, weight
from transclipped.retrieval.stages import Collection, stage

DEPTH = 200  # length of the lists


@dataclass(frozen=True)
class Edge:
    """Hyperedges of queries: H of items `[Q, N]`, and of each query itself `[Q]`."""

    h: sp.csr_array
    own: np.ndarray


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
    for part in parts(len(rows), 4 * collection.index.n):
        joined = first_place(first, queries[part], rows[part], collection)
        for step, order in join(database, joined, k, rounds, sharpness).items():
            both = np.concatenate([order[:, 1:], hits.rows[part]], 1)
            result.setdefault(step, []).append(first_distinct(both, hits.rows.shape[1]))
    return {"before": hits} | {step: by_place(np.concatenate(lists)) for step, lists in result.items()}


def join(database: Steps, joined: Joined, k: int, rounds: int, sharpness: float) -> dict[str, np.ndarray]:
    """Rows `[Q, L]` of queries after each step, N for the query itself at the front."""
    orders, edges, length = iter(database.orders), iter(database.edges), joined.rows.shape[1]
    forth = sigma(np.arange(1, length + 1), k, sharpness)
    position = np.where(joined.back < length, joined.back + 1, length + 2)
    back = sigma(position, k, sharpness)
    order = next(orders)
    joined = _moved(joined, forth**2 * back, forth * back**2, order)
    result = {"normalised": joined.rows}
    for _ in range(rounds):
        edge = hyperedge(joined, own := next(edges), order.lists, k)
        similarity = _similarity(edge, own.h, joined.rows)
        values = similarity / np.arange(1, length + 1)
        order = next(orders)
        joined = _moved(joined, values, similarity / (joined.back + 1), order)
    result["hyperedges"] = joined.rows
    edge = hyperedge(joined, own := next(edges), order.lists, k)
    order = next(orders)
    joined = _product(joined, edge, own, k, order)
    result["product"] = joined.rows
    if database.parts is not None:
        edge = hyperedge(joined, next(edges), order.lists, k)
        result["components"] = _by_parts(joined, edge, database.parts, len(database.orders[0].lists))
    return result


def hyperedge(joined: Joined, database: Hyperedges, before: np.ndarray, k: int) -> Edge:
    """H of queries in the places that they have."""
    n = database.w.shape[0]
    near = matrix(joined.rows[:, 1 : k - 1], weight(np.arange(2, k), k), n)
    lists = matrix(joined.rows[:, 1:], weight(joined.back[:, 1:] + 1.0, k), n)
    lists.eliminate_zeros()
    change = Change(joined, before, np.append(weight(np.arange(1.0, k), k), [0, 0]))
    forth = 2 * near + near @ database.w + change.left(near)
    h = forth.multiply(2 * lists + lists @ database.transposed + change.right(lists))
    return Edge(sp.csr_array(h), (2 + near.multiply(lists).sum(1)) ** 2)


def _similarity(edge: Edge, h: sp.csr_array, rows: np.ndarray) -> np.ndarray:
    """⟨H_q, H_i⟩ of a query's rows `[Q, L]`, itself first."""
    similarity = (edge.h @ h + sp.csr_array(edge.h.multiply(edge.own[:, None]))).toarray()
    own = edge.h.multiply(edge.h).sum(1) + edge.own**2
    return np.concatenate([own[:, None], np.take_along_axis(similarity, rows[:, 1:], 1)], 1)


def _moved(joined: Joined, values: np.ndarray, back_values: np.ndarray, order: Order) -> Joined:
    """Queries with lists sorted by their values; `back_values` place them in the lists of items."""
    back = np.maximum(1, order.place(joined.rows[:, 1:], back_values[:, 1:]))
    back = np.where(back_values[:, 1:] > 0, back, np.maximum(back, joined.back[:, 1:]))
    back = np.concatenate([np.zeros_like(back[:, :1]), back], 1)
    number = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    number, _ = sort(number, values)
    return Joined(np.take_along_axis(joined.rows, number, 1), np.take_along_axis(back, number, 1))


def _product(joined: Joined, edge: Edge, database: Hyperedges, k: int, order: Order) -> Joined:
    whole = sp.csr_array(sp.hstack([edge.h, sp.csr_array(edge.own[:, None])], format="csr"))
    e = strongest_sums(whole, k) / database.largest
    weighted = sp.csr_array(edge.h.multiply(database.e))
    s = weighted @ database.h + sp.csr_array(edge.h.multiply((e * edge.own)[:, None]))
    s = sp.csr_array(sp.hstack([s, sp.csr_array(np.full((len(e), 1), np.inf))], format="csr"))  # itself first
    rows, values = with_entering(joined.rows, s)
    back = np.maximum(1, order.place(rows[:, 1:], values[:, 1:]))
    back = np.where(values[:, 1:] > 0, back, order.lists.shape[1])
    return Joined(rows, np.concatenate([np.zeros_like(back[:, :1]), back], 1))


def _by_parts(joined: Joined, edge: Edge, found: Parts, n: int) -> np.ndarray:
    """Rows `[Q, L]` after step 4: a query among the k strongest of a part counts as one of them."""
    strength = sp.csr_array(edge.h @ found.members.T)  # of the query in c_r, `[Q, c]`
    embedding = sp.csr_array(edge.h @ found.sums.T + strength.multiply(edge.own[:, None]))
    length = joined.rows.shape[1]
    table = sp.lil_array((len(joined.rows), n + 1))
    for q in range(len(joined.rows)):
        own = slice(strength.indptr[q], strength.indptr[q + 1])
        for r, strong in sorted(zip(strength.indices[own].tolist(), strength.data[own].tolist(), strict=True)):
            members, before = found.strongest[r], int((found.strength[r] > strong).sum())
            if before == len(members):
                continue
            rows = np.concatenate([members[:before], [n], members[before:-1]])
            root = np.sqrt((before + 1) * np.arange(1, len(rows) + 1))
            others = rows != n
            position = np.full(len(rows), length + 2)
            at = (joined.rows[q] == rows[:, None]).argmax(1)
            present = joined.rows[q, at] == rows
            position[present] = at[present] + 1
            product = np.full(len(rows), embedding[[q]].multiply(embedding[[q]]).sum())
            product[others] = (found.embedding[rows[others]] @ embedding[[q]].T).toarray().ravel()
            table[q, rows] = (1 + root * product) / position
    rows, _ = with_entering(joined.rows, sp.csr_array(table))
    return rows
