"""Digits that are proved: closed forms in ball arithmetic, which carries its own error bound."""
