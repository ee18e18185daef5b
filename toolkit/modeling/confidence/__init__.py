"""How far an answer can be trusted: the model's own probabilities, and whether its answers agree with each other."""
