"""Readers of kinds of files: arrays, tables, HDF5, COLMAP models, depth pictures, poses, streams."""
