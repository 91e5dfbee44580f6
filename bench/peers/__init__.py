"""What a user would write without mcbrain, computing the same outputs."""
