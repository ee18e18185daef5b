"""Cameras without distortion, with barrel distortion and with pincushion distortion."""

from toolkit.geometry.camera import Camera

PLAIN = Camera(500.0, 520.0, 321.5, 238.25, 640, 480)
BARREL = Camera(500.0, 520.0, 321.5, 238.25, 640, 480, (-0.21, 0.06, 0.0013, -0.0021, 0.004))
PINCUSHION = Camera(700.0, 650.0, 300.0, 250.0, 640, 480, (0.12, -0.03, -0.002, 0.001, 0.01))
CAMERAS = [PLAIN, BARREL, PINCUSHION]
