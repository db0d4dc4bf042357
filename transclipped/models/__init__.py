"""Networks: backbone, product quantizer, and the two joined."""
