"""Refinement of a ranking, one method per file."""
