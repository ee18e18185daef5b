"""One user and one picture: a photograph, its camera and a question come in, an answer goes out.

``asker`` is the way of a question; ``picture``, ``camera_source`` and ``points`` prepare what it needs; ``answer`` is
what is told; ``cloud`` asks about a whole picture.
"""
