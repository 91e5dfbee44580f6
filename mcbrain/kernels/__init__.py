"""All compiled code: pure functions of arrays and scalars that release the GIL.

`jit` has the options of compilation, `streams` random numbers, `lanes` vectors of eight, `lapack`
SciPy's routines and `types` what kernels are given. The raw engine is `raw.raw_block`, and
`raw_select.raw_select_block` where rows choose their own penalty: `draw` -> `encode` -> `solve`
-> `risk`, on `householder`, `eigen` and `tridiagonal`. `choose` is that choice, by the scores of
`select`, most of which `nodes` saves. `accumulate` sums blocks up.
"""
