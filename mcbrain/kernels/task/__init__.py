"""The task stage in compiled code: regularised least squares given a subspace, and its risk."""
