"""From pictures to a run directory."""
