"""What a run will do, said before it starts: its cost, what the model will see, and the shares of tasks and sources."""
