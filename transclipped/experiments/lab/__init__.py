"""Heads on the lab set, seconds each: the sweep over a clipping rule."""
