"""Linear algebra in compiled code: vectors of eight lanes, LAPACK, products, eigenvectors."""
