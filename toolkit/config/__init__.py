"""The recipe and what it builds: YAML and overrides come in, mixtures and held-out questions go out.

``recipe`` documents every option, ``load`` reads a file with overrides, ``build_presenter`` makes what shows and
words questions, ``build`` makes mixtures, and ``validate`` checks data and recipes.
"""
