"""Level functions: what a seed makes, one task family a file."""
