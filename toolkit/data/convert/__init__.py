"""``toolkit data convert``: a public data set as downloaded comes in, a manifest goes out.

``base_format`` says what a format is, ``formats`` has one module a data set, ``readers`` read kinds of files, and
``shared`` holds what several sets need; ``convert`` runs a conversion, in ``parallel``.
"""
