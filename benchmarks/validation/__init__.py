"""The contracts of a custom method and a custom task, checked in seconds on small data.

What is broken is told in plain words, with its line.
"""
