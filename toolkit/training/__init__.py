"""One SFT run: a recipe comes in; a checkpoint with its model card and its held-out results goes out.

``train`` is the whole run. ``run_folder`` says where an interrupted run goes on, and ``open_run_model`` opens its
model. ``trainer`` builds TRL's ``SFTTrainer``, and ``collator`` is its data collator, which also teaches the words of
``auxiliary_words``. ``callbacks`` evaluate the model while it trains and keep the best weights. ``model_card`` writes
the checkpoint's README, and ``export`` makes a plain model folder of a checkpoint. ``dry_run`` says beforehand what a
run will do.
"""
