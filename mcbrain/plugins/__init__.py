"""Code that a user brings: what it may be, what is known of it, and when it runs.

This room knows plug-ins by their text. It compiles nothing and judges nothing: what a study says of
them is read in `asking`, and what they compute is asked for in `engines`.
"""
