"""Embeddings of a frozen backbone, computed once and cached."""
