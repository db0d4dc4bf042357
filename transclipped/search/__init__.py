"""Search with a run: what needs a model and images."""
