"""What everything else stands on: where files are kept, hashes that name content, bad input, the machine.

Knows nothing of data, tasks or training.
"""
