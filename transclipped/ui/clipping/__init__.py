"""The Clipping page."""
