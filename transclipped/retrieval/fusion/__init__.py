"""Several rankings made one, one method per file."""

from transclipped.retrieval.fusion import comb_sum, cprr, reciprocal_rank, select

__all__ = ["comb_sum", "cprr", "reciprocal_rank", "select"]
