"""All compiled code: pure functions of arrays and scalars that release the GIL.

`jit` has the options of compilation, `cache` keeps machine code and `types` says what kernels are
given. `random` draws, `linear` factorises, `brain` encodes the subspace, `task` solves and takes
risks, `rules` choose penalties, and `replicate` puts these together: `replicate.raw.raw_block` is
the raw engine (`random.draw` -> `brain.encode` -> `task.solve` -> `task.risk`), and
`replicate.accumulate` sums blocks up.
"""
