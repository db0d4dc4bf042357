"""The directory of a run: what it holds, who reads it, where it comes from."""
