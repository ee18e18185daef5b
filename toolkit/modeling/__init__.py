"""Everything that answers: samples come in, replies go out.

``predictor`` says what answering is. Vision-language models are in ``vlm``, dense depth models in ``depth``, models on
servers in ``remote``, answers from a file in ``replay``. ``checkpoint`` opens a folder of ``toolkit train``, and
``checkpoint_contract`` is its ``toolkit.json``: how the model wants to be asked.
"""
