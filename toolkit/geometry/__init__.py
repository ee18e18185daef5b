"""Cameras, poses and canonicalisation: numbers only. ``camera`` states the conventions of the whole toolkit."""
