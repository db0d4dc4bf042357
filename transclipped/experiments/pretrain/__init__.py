"""Training the bundled backbone without labels."""
