"""Several rankings made one, one method per file."""

from transclipped.retrieval.fusion import comb_sum, reciprocal_rank

__all__ = ["comb_sum", "reciprocal_rank"]
