"""Augmentation by the items of the database, one method per file."""

from transclipped.retrieval.augmentation import dba, expand, smooth  # noqa: F401
