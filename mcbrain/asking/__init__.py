"""What is asked for: studies and estimators, however spelt (TOML, Python, the command line)."""
