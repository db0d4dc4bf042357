"""Adversarial re-ranking without labels: one network proposes items for a query, another doubts them.

For a query with its candidates, the 100 best hits, "true" are those of its reciprocal 10 nearest neighbours; so the
teacher is a nearest-neighbour rule, and no label takes part. With s the first score,

    p(d | q) = softmax(g(q, d) / 0.2),  g = s + G(|q − d|, q ∘ d, place, s)      the generator
    σ(f(q, d)),                         f = F(|q − d|, q ∘ d, s)                 the discriminator

F learns to tell true items from items that p proposes, by ln σ(f) and ln (1 − σ(f)). G gets the reward
r = 2 (σ(f) − ½) by REINFORCE: items are drawn from ½ p + ½ uniform over the true ones, with weights p over that. F sees
no place, from which it would learn nothing else. Both learn from items of the database as queries, in turns; a query is
then re-ranked by s + weight · G. G begins at 0, so that without training nothing changes.

What is true lies among the first ten hits, so little can rise. On clustered vectors it leaves the average precision as
it was, where `qe` and `k-reciprocal` add a half and more.

References:
    Huang et al. 2019, "Unsupervised adversarial image retrieval", MIPR: the idea, of which only the abstract is public.
    Wang et al. 2017, "IRGAN", arXiv 1705.10513: the two objectives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from transclipped.retrieval.index import Hits, ordered
from transclipped.retrieval.lists import as_queries, dots, own_lists, parts, start
from transclipped.retrieval.stages import Collection, stage
from transclipped.retrieval.vectors import unit

if TYPE_CHECKING:
    import torch

CANDIDATES, TRUE, HIDDEN = 100, 10, 64
TEMPERATURE, RATE = 0.2, 1e-3
SAMPLED, BATCH, STEPS, DRAWN = 1024, 64, 8, 10  # items as queries; of a step; steps of a turn; draws for a query


@dataclass(frozen=True)
class Learned:
    """Both networks' progress.

    Attributes:
        generators: G's parameters before training and after each round.
        proposed: `[rounds + 1]`, share of what p proposes that is true.
        believed: `[rounds + 1]`, share of true and proposed items that F tells apart.
    """

    generators: list[dict[str, torch.Tensor]]
    proposed: np.ndarray
    believed: np.ndarray


@stage(
    "uair",
    kind="reranking",
    idea="One network proposes hits, another doubts them; both learn from mutual neighbours, without labels.",
    formula="s + weight · G(|q − d|, q ∘ d, place, s)",
    source="Huang et al. 2019, MIPR",
    bounds={"rounds": (0, 200), "weight": (0, 10), "seed": (0, 2**31 - 1)},
)
def uair(hits: Hits, collection: Collection, *, rounds: int = 20, weight: float = 1.0, seed: int = 0) -> Hits:
    """The same items `[Q, K]`, of which the first 100 change places."""
    queries = start(hits, collection)
    if collection.index.n <= TRUE or not hits.rows.size or not rounds:
        return hits
    name = ("uair", rounds, seed)
    if name not in collection.memo:
        collection.memo[name] = learned(collection, rounds=rounds, seed=seed)
    return reranked(hits, queries, collection, collection.memo[name].generators[-1], weight=weight)


def reranked(
    hits: Hits, queries: np.ndarray, collection: Collection, generator: dict[str, torch.Tensor], *, weight: float
) -> Hits:
    """Hits sorted by what a generator gives them."""
    import torch

    items, k = unit(as_queries(collection)), min(CANDIDATES, hits.rows.shape[1])
    result = Hits(hits.scores.copy(), hits.rows.copy())
    network = _network(2 * items.shape[1] + 2)
    network.load_state_dict(generator)
    for part in parts(len(queries), k * 4 * items.shape[1]):
        rows = hits.rows[part, :k]
        scores = dots(queries[part], collection.items, rows)
        with torch.no_grad():
            g = network(_features(unit(queries[part]), items[rows], scores))[..., 0].numpy()
        result.scores[part, :k], result.rows[part, :k] = ordered(scores + np.float32(weight) * g, rows)
    if k < hits.rows.shape[1]:  # what follows was below, and stays so
        lower = result.scores[:, k - 1 : k] - np.float32(1e-3) * np.arange(1, hits.rows.shape[1] - k + 1)
        result.scores[:, k:] = lower
    return result


def _features(queries: np.ndarray, items: np.ndarray, scores: np.ndarray) -> torch.Tensor:
    """`[Q, k, 2 D + 2]` of unit queries `[Q, D]` and items `[Q, k, D]`; the place comes last."""
    import torch

    wide = np.sqrt(np.float32(items.shape[-1]))  # so that both parts have the size of the scores
    place = np.broadcast_to(np.linspace(0, 1, items.shape[1], dtype=np.float32), scores.shape)
    both = [wide * np.abs(queries[:, None] - items) / 2, wide * queries[:, None] * items]
    return torch.from_numpy(np.concatenate([*both, scores[..., None], place[..., None]], 2).astype(np.float32))


def _network(width: int) -> torch.nn.Sequential:
    """One hidden layer; its output begins at 0."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(width, HIDDEN), torch.nn.Tanh(), torch.nn.Linear(HIDDEN, 1))
    torch.nn.init.zeros_(network[2].weight)
    torch.nn.init.zeros_(network[2].bias)
    return network


def learned(collection: Collection, *, rounds: int, seed: int = 0) -> Learned:
    """Train both networks in turns on the database alone."""
    import torch

    rng, draw = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    lists = own_lists(collection, CANDIDATES + 1).rows
    chosen = np.sort(rng.permutation(len(lists))[:SAMPLED])
    true = np.stack([_mutual(lists, row) for row in chosen])
    chosen, true = chosen[true.any(1)], torch.from_numpy(true[true.any(1)])
    width = 2 * collection.items.shape[1] + 2
    g, f = _network(width), _network(width - 1)
    steps = [torch.optim.Adam(network.parameters(), RATE) for network in (g, f)]
    generators, curves = [_copy(g)], [(float("nan"), float("nan"))]
    for _ in range(rounds if len(chosen) else 0):
        seen = []
        for turn in (1, 0):  # the discriminator first
            for _ in range(STEPS):
                at = rng.integers(len(chosen), size=BATCH)
                x = _candidates(collection, chosen[at], lists)
                own = x[..., -2] + g(x)[..., 0]  # first score plus G
                p = torch.softmax(own / TEMPERATURE, 1)
                belief = f(x[..., :-1])[..., 0]
                loss = doubt(belief, p, true[at], draw)[0] if turn else policy(p, torch.sigmoid(belief), true[at], draw)
                steps[turn].zero_grad()
                loss.backward()
                steps[turn].step()
                with torch.no_grad():
                    seen.append(((p * true[at]).sum(1).mean().item(), doubt(belief, p, true[at], draw)[1]))
        generators.append(_copy(g))
        curves.append(tuple(np.mean(seen, 0)))
    proposed, believed = np.array(curves).T
    return Learned(generators, proposed, believed)


def _copy(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _mutual(lists: np.ndarray, row: int) -> np.ndarray:
    """Which candidates `[k]` of an item are its reciprocal nearest neighbours."""
    result = np.zeros(lists.shape[1] - 1, bool)
    near = lists[row, 1 : TRUE + 1]
    result[: len(near)] = (lists[near, 1 : TRUE + 1] == row).any(1)
    return result


def _candidates(collection: Collection, rows: np.ndarray, lists: np.ndarray) -> torch.Tensor:
    vectors, near = as_queries(collection)[rows], lists[rows, 1:]
    return _features(unit(vectors), unit(as_queries(collection)[near]), dots(vectors, collection.items, near))


def doubt(
    belief: torch.Tensor, p: torch.Tensor, true: torch.Tensor, draw: torch.Generator
) -> tuple[torch.Tensor, float]:
    """F's loss in nats and the share it tells apart, of true items and as many proposed ones.

    Args:
        belief: f `[B, k]`. p: of the generator `[B, k]`. true: `[B, k]` bool.
    """
    import torch

    proposed = torch.multinomial(p.detach(), DRAWN, replacement=True, generator=draw)
    other = belief.gather(1, proposed)
    wrong = ~true.gather(1, proposed)  # a true item that is proposed is no false one
    ln = torch.nn.functional.logsigmoid
    loss = -(ln(belief)[true].mean() + (ln(-other) * wrong).sum() / wrong.sum().clamp(min=1)) / 2
    right = ((belief[true] > 0).float().mean() + ((other <= 0) & wrong).sum() / wrong.sum().clamp(min=1)) / 2
    return loss, float(right)


def policy(p: torch.Tensor, sigma: torch.Tensor, true: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """G's loss, whose gradient is that of −E_p[r] in expectation over the draws."""
    import torch

    mixed = (p.detach() + true / true.sum(1, keepdim=True)) / 2
    drawn = torch.multinomial(mixed, DRAWN, replacement=True, generator=draw)
    return surrogate(p, sigma, mixed, drawn)


def surrogate(p: torch.Tensor, sigma: torch.Tensor, mixed: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """−mean of (p / mixed) r ln p over draws `[B, n]` from `mixed` `[B, k]`."""
    reward = 2 * (sigma.detach() - 0.5)
    weight = (p.detach() / mixed * reward).gather(1, drawn)
    return -(weight * p.gather(1, drawn).clamp(min=1e-12).log()).mean()
