"""One self-contained page, and the figures beside it, for any results folder."""

from mcbrain.drawing import load_matplotlib

load_matplotlib()
