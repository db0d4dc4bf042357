"""Codes of embeddings, one method a file."""
