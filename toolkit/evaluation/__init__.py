"""A predictor on held-out questions: a recipe and a predictor come in, records and a report go out.

``evaluate`` is the whole evaluation, ``question_loop`` asks, ``sample_record`` is what is kept of an answer, and
``report``, ``analysis``, ``bootstrap``, ``plots`` and ``compare`` say what the records amount to.
"""
