"""One check a module: ``check(frames, rng)`` returns findings, with evidence and remedy."""
