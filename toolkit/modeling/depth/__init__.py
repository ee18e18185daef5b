"""Dense depth models as predictors: a depth map of the whole picture, read at the points that are asked about."""
