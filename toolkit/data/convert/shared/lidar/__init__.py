"""LiDAR sweeps as labels: projection into pictures, range images, rolling shutters, Waymo's LiDARs."""
