"""Finished runs: one validated JSON line each, read once into one object, grouped for comparison.

Start with `Results.load(folder)`.
"""

from benchmarks.records.results import Results

__all__ = ["Results"]
