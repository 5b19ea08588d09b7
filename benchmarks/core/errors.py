"""What is told to the person who typed a command, without a trace."""


class BadInput(Exception):
    """A wrong word on the command line, or a file that cannot serve: one line for the person, exit status 2."""
