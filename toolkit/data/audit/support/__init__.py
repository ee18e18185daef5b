"""What the checks share: planes, edges, reprojection between frames, significance tests."""
