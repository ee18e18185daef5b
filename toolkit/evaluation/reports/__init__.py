"""What the records of an evaluation amount to: numbers with their intervals, tables, plots, comparisons."""
