"""Reading text without guessing: answers of models, numbers with units, typing errors, names of things."""
