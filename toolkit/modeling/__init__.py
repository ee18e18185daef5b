"""Everything that answers: a predictor takes samples and returns replies.

``predictor`` defines what a predictor is. Vision-language models are in ``vlm``, dense depth models in ``depth``,
models on servers in ``remote``, answers from a file in ``replay``, and constant answers in ``constant_predictor``.
``checkpoint`` opens a folder of ``toolkit train``, and ``checkpoint_contract`` is its ``toolkit.json``, which says how
the model wants to be asked; ``find_contract`` finds it for models of others, and ``published_contract`` knows those of
published ones. ``fetch_model`` finds the folder of a model, also on the Hugging Face hub; ``safe_loading`` and
``vet_model`` see to it that its files are read as data. ``placement`` is where a model's weights are put, and with how
many bits. ``confidence`` says how far an answer can be trusted.
"""
