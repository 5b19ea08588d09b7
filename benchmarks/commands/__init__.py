"""The command line: one command a file, with the options that it heeds.

`main` finds the command and hands it its options.
"""
