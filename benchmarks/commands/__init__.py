"""The command line: one command a file, with the options that it heeds.

`main` finds the command and gives it its options. A command imports what is slow inside `run`: --help comes at once.
"""
