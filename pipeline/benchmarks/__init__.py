"""The benchmarks of `stratagraph bench`: one file each, listed in `registry`.

A new one is a file with one function, ``measure(setting) -> Measured``, and one line there.
"""
