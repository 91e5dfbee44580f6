"""One self-contained page, and the figures beside it, for any results folder."""
