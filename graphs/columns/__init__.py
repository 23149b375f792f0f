"""Columns and types of every table, in their order. One file a kind of work."""
