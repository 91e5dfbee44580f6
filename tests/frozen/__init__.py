"""Block sums of small studies over every option, frozen and compared bit by bit."""
