"""User files: labels, splits, embeddings."""
