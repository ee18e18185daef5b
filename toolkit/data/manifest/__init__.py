"""Manifests: JSON lines that name pictures, cameras and depth; checking, indexing and splitting them."""
