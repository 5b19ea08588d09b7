"""Students, labelers and generators of every domain, untrained.

How they are trained stands in `teachers` and `runs`.
"""
