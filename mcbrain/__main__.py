"""`python -m mcbrain` is the command `mcbrain`."""

from mcbrain.cli import main

main()
