"""Block sums and laws to rows of results, and the rows as tables."""
