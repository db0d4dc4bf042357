"""Networks: backbone, head and product quantizer."""
