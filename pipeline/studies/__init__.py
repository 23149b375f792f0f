"""Studies: loops over variants of the three stages, each a command that ends in a table."""
