"""Codes of embeddings, one method per file."""
