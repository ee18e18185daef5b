"""The command line: options in, text or JSON out.

``main`` holds the program and its short commands; ``ask``, ``cloud`` and ``data`` hold the long ones; ``options`` what
they share; ``render`` draws answers on a terminal. Results go to stdout, everything else to stderr.
"""
