"""The Anatomy page."""
