"""Slow NumPy twins of the kernels: textbook formulas on the same random numbers.

One module for each module of ``mcbrain.kernels``, functions under the same names, nothing
imported from ``mcbrain``.
"""
