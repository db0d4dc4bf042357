"""Indices, search and metrics."""
