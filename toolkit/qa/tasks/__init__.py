"""What a task is: its contract, the registry that finds tasks, their templates, and the routing of users' questions.

The built-in tasks themselves are in the folder ``tasks`` beside the package; nothing imports them by name.
"""
