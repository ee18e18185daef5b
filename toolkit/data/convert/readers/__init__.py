"""Readers of single kinds of files: text, arrays, tables, HDF5 (h5py), COLMAP, depth pictures, poses, streams."""
