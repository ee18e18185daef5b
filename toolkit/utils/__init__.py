"""Files, progress bars, JSON, colours and contact sheets: general helpers that know nothing about 3D questions."""
