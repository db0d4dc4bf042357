"""Refinement of a ranking, one method per file."""

from transclipped.retrieval.reranking import exact, k_reciprocal, query_expansion, rocchio

__all__ = ["exact", "k_reciprocal", "query_expansion", "rocchio"]
