"""Files, progress bars, JSON, colours, contact sheets: nothing here knows what the toolkit is for."""
