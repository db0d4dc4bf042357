"""Image files: listing, decoding, checks."""
