"""Pictures made by the toolkit itself, of which everything is known: furnished rooms, and drawn shapes."""
