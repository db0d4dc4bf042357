"""Codes of embeddings, one method per file."""

from transclipped.retrieval.coding import floats, itq, lsh, opq, pq, strp, trees, udh  # noqa: F401
