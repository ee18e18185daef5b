"""``toolkit data audit``: a sample of a manifest comes in, findings about its labels go out.

``audit`` runs the ``checks``; ``support`` holds the geometry and statistics that they share; ``audit_report`` prints.
"""
