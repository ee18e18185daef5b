"""What several data sets need: paths in the manifest, the choice of labels, splits, moments, LiDAR, KITTI's car."""
