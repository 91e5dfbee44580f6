"""What brain data is worth: value, budgets, robustness and scaling, from laws or from results."""
