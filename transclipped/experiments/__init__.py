"""Many trainings with one question."""
