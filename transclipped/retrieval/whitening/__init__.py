"""Linear maps of embeddings, one method a file."""
