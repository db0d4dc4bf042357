"""Linear maps of embeddings, one method per file."""
