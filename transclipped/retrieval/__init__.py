"""Indices, search and metrics on arrays."""
