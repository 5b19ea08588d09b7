"""Tables, figures and pages made of records, and what of a results folder is no longer true.

Start with `artefacts.of`: the one list of what a folder holds. Every table is a `grid.Grid`, every figure a function of
`figures`; only figure 1 and the teachers' quality need trained networks.
"""
