"""Many training runs that answer one question."""
