"""Everything that answers: a predictor takes samples and returns replies.

``predictor`` defines what a predictor is. Vision-language models are in ``vlm``, dense depth models in ``depth``,
models on servers in ``remote``, answers from a file in ``replay``, and constant answers in ``constant_predictor``.
``checkpoint`` opens a folder of ``toolkit train``, and ``checkpoint_contract`` is its ``toolkit.json``, which says how
the model wants to be asked. ``hub`` finds the files of a model, and ``confidence`` says how far an answer can be
trusted. ``placement`` is where a model's weights are put, and with how many bits.
"""
