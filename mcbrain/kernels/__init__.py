"""All compiled code: pure functions of arrays and scalars that release the GIL.

`jit` has the options of compilation, `streams` random numbers, `lanes` vectors of eight, `lapack`
SciPy's routines and `types` what kernels are given. The raw engine is `raw.raw_block`, and
`raw_select.raw_select_block` where rows choose their own penalty: `draw` -> `encode` -> `solve`
-> `risk`, on `householder`, `eigen` and `tridiagonal`, and on `singular` for the replicates whose
data have too small a rank. `choose` is that choice, by the scores of `select`, most of which
`nodes` saves, and of `singular_select` where theirs are 0/0. `accumulate` sums blocks up.
"""
