"""Transforms of vectors, most of them linear, one method per file."""

from transclipped.retrieval.whitening import l2, power, standardise, svd, tpw, whiten  # noqa: F401
