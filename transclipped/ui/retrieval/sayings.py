"""The sentence to say about a section of Retrieval in front of a class."""

from __future__ import annotations

from transclipped.retrieval import speed
from transclipped.ui import light
from transclipped.ui.quantities import size
from transclipped.ui.retrieval.hits import HITS, Ranking
from transclipped.ui.retrieval.query import Query, SearchTarget
from transclipped.ui.retrieval.why import part
from transclipped.ui.text import plain


def sentence(name: str, target: SearchTarget, query: Query, ranking: Ranking) -> str:
    """What to say about the section of this name, as Markdown."""
    index = target.searcher.index
    n, m = index.n, index.codes.shape[1]
    sizes = speed.sizes(index)
    memory = size(sizes.codes + sizes.codebooks)
    fixed = {
        HITS: f"To search {n:,} images, the computer reads {m} bytes of each and opens none of them.",
        "why": f"A score is a sum that anybody can check: each of the {m} codebooks adds {part(m)}.",
        "light": light.SAYING,
        "searches": "Only the database must be coded: the query keeps its exact numbers, so fewer hits tie.",
        "lengths": "More bytes draw finer distinctions; look where the hits stop to change.",
        "quality": "Precision asks how many hits are right, recall how many of the right images were found.",
        "extremes": "A mean hides the hard queries: look at these before you trust one number.",
        "cost": f"{n:,} images fit into {memory}, {sizes.ratio:.0f} times less than their floats.",
        "words": "The neighbours name the query: each word comes with the images that voted for it.",
        "teach": "Marks move the query, not the network: nothing is trained.",
    }
    if name == HITS and ranking.mask is not None and ranking.hits and not ranking.how.filters:
        right = sum(bool(ranking.mask[hit.row]) for hit in ranking.hits)
        labels = " or ".join(map(plain, query.labels))
        return f"{m} bytes per image, and {right} of the first {len(ranking.hits)} hits of {n:,} show *{labels}*."
    return fixed[name]
