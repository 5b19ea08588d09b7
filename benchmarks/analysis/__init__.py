"""Statistics over records: summaries, comparisons, aggregates, curves, verdicts on claims.

Frames in, frames out; nothing is drawn and nothing is trained.
"""
