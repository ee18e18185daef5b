"""Evaluation: ask a predictor the held-out questions of a recipe, keep its answers, and report what they amount to.

Begin with ``evaluate``, which runs a whole evaluation. ``question_loop`` asks the questions, and ``sample_record`` is
what is kept of each answer. ``reports`` turns these records into numbers, tables, figures and comparisons, and
``rescore`` does it again without a model. ``contamination`` finds held-out pictures that were in the training data.
"""
