"""Pure functions behind the pages."""
