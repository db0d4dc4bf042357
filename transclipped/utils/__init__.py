"""Files, processes and progress: nothing of the method."""
