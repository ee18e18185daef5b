"""One user and one picture: a photograph, its camera and a question come in, and an answer goes out.

``asker`` answers questions. ``scene`` opens what a question is about, with ``open_picture``, ``camera_source``,
``points`` and ``point_syntax``. ``answer`` is what the user gets, ``caveats`` says how often a model was
right, and ``cloud`` asks about a whole picture.
"""
