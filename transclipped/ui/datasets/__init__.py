"""The Data sets page."""
