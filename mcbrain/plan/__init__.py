"""Points to problems: what must be simulated, at which penalties, and until when."""
