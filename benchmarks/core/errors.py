"""What is told to the person who typed a command, without a trace."""

import sys


class BadInput(Exception):
    """A wrong word on the command line, or a file that cannot serve: one line for the person, exit status 2."""


def tell(line: str) -> None:
    """One line that a person should see, whatever is written to standard output."""
    print(f"note: {line}", file=sys.stderr)
