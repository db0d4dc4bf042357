"""What a clipping rule does to a batch."""
