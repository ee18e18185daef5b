"""Conversion in many processes: the job, its chunks, and the manifest that finished chunks are merged into."""
