"""A run as one page to look at: `stratagraph report`. One file a section."""
