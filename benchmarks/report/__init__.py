"""Tables, figures and pages made of records, and what of a results folder is no longer true.

Reads records and writes files; trains nothing.
"""
