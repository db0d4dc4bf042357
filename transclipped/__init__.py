"""TransClippedCLR: unsupervised image retrieval with clipped contrastive quantization.

Importing the package costs nothing: torch, timm and faiss are imported by the modules that use them.
"""

__version__ = "0.1.0"
