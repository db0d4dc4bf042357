"""The Codebooks page."""
