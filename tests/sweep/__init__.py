"""A sweep over the whole option space: rows of `mb.simulate` against plain NumPy.

The NumPy side shares no code with mcbrain: it reads the options, draws data from seeds of its own,
fits every estimator from its definition and applies the shifts (theory/README.md 1 and 2). Modules:
`design` lists the cells, `population` draws, `estimators` fits, `shifts` scores, `domains` says
which moments exist, `truth` runs all of that, `compare` holds rows against it, `record` keeps what
was found. `python -m tests.sweep --help` runs cells one by one.
"""
