"""What a question is: Frames come in, Samples (pictures, prompt, completion) go out; answers are read and scored.

``tasks`` says what a task is, and finds tasks. The one way from a picture to what the model sees is
``canonical_view`` (a Frame at the canonical focal length), ``query`` (what a question is about), ``marker`` (the drawn
mark) and ``sample``. ``mixture`` draws questions for training and evaluation; ``parsing`` reads answers, and
``metrics`` scores them.
"""
