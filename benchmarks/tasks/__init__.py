"""The tasks of the suite, one file each, over shared parts for images, texts and retrieval.

A new file with one class derived from `benchmarks.task.Task` is a new task.
"""
