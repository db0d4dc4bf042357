"""Pipelines on images: features, codes with trained heads, measuring and comparing."""
