"""What every source of Frames has in common, and what is known of all its Frames at once."""
