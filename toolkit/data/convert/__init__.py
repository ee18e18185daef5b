"""``toolkit data convert``: turns a public data set, as downloaded, into a manifest.

``base_format`` says what a format is, ``formats`` has one module for each data set, ``readers`` read single kinds of
files, and ``shared`` holds what several data sets need. ``convert`` runs a conversion, with the help of ``parallel``.
"""
