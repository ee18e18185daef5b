"""Frames and where they come from; nothing here knows of questions, models or recipes.

``frames`` says what a Frame is and reads pictures; ``sources`` says what all sources of Frames have in common, and
``manifest`` and ``synthetic`` are such sources; ``convert`` turns public data sets into manifests; ``audit`` looks for
faults of labels; ``statistics`` counts what data holds.
"""
