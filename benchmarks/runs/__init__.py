"""From a cell of a grid to its record: plan, schedule, train, measure.

The only part that trains students.
"""
