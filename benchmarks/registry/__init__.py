"""What there is to run, as plain data that is read in milliseconds.

Nothing here imports torch, so lists, help and refusals of bad input come at once."""
