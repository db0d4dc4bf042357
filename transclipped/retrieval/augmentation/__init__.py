"""Augmentation of the database by itself, one method per file."""

from transclipped.retrieval.augmentation import dba  # noqa: F401
