"""A whole picture: many questions about it become a depth map and a metric point cloud."""
