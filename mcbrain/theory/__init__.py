"""Laws of the model: exact, first-order and high-dimensional; every one is stated in README.md.

No module here draws a random number or needs compiled code.
"""
