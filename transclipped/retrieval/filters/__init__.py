"""Filters of feature maps `[B, C, h, w]` before pooling, one method per file."""

from transclipped.retrieval.filters import attention, flatness, mpfa, regions  # noqa: F401
