"""One SFT run: a recipe comes in, a checkpoint with its model card and its held-out results goes out.

``train`` is the whole run; ``trainer`` builds TRL's ``SFTTrainer`` and ``collator`` its batches; ``callbacks`` measure
and keep the best weights while it runs. What a run will do is said beforehand by ``estimate`` (time, tokens, memory),
``preview`` (pictures and words) and ``mixture_summary`` (shares of tasks and sources).
"""
