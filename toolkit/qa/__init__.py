"""What a question is: Frames come in, Samples (pictures, prompt, completion) go out; answers are read.

``task`` is the contract of a task and ``registry`` finds tasks; ``canonical_view``, ``query``, ``marker``, ``template``
and ``sample`` are the one way from a picture to what the model sees; ``mixture`` draws questions; ``routing`` finds the
task of a user's words; ``parsing`` reads answers, and ``metrics`` scores them.
"""
