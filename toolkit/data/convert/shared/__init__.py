"""What several data sets need: where files go, which labels are kept, splits, LiDAR, rigs of cameras."""
