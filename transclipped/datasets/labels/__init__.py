"""Lists that people bring: labels, splits, embeddings."""
