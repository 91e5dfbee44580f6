"""Whole replicates in compiled code, from random numbers to the sums of a block."""
