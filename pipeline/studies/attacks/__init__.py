"""Attacks on a network: images that it gets right, changed until it gets them wrong."""
