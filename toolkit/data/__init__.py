"""Frames and where they come from; nothing here knows of questions, models or recipes.

``frames`` says what a Frame is and reads pictures; ``manifest`` and ``synthetic`` are sources of Frames; ``convert``
turns public data sets into manifests; ``audit`` looks for faults of labels; ``statistics`` counts what data holds.
"""
