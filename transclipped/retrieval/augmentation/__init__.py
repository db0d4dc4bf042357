"""Augmentation by the items of the database, one method per file."""

from transclipped.retrieval.augmentation import dba, smooth  # noqa: F401
