"""Statistics over records: summaries, comparisons, aggregates, curves, verdicts on claims.

Groups of records in (`records.groups`), data frames out; nothing is drawn and nothing is trained.
"""
