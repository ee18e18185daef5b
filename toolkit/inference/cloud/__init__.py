"""Point clouds: many questions about one picture become a depth map and a metric point cloud."""
