"""Pooling of feature maps `[B, C, h, w]` to vectors, one method per file."""

from transclipped.retrieval.aggregation import crow, gem, max, mean, pwa, rmac, scda, spoc, utrl  # noqa: F401
