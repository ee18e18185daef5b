"""Numbers only: cameras, poses, canonicalisation. The conventions of the whole toolkit stand in ``camera``."""
