"""Tests of mcbrain, in a folder for each of its packages."""
