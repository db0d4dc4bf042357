"""Second looks at a ranking."""
