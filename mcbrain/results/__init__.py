"""Block sums and laws become rows of results, and rows become tables."""
