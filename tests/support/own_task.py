"""A user's own task, as a Python file with its template."""

from pathlib import Path

from toolkit.qa.tasks.registry import load_tasks
from toolkit.qa.tasks.trust import name_files

OWN = '''\
from toolkit import Query, Task, metrics, task


@task("{name}")
class Own(Task):
    """How much higher the first point is than the second [m]."""

    points = 2
    unit = "m"
    metric = metrics.RelativeAccuracy()
    lift = 0.0

    def label(self, query: Query) -> float:
        first, second = query.points
        return second.xyz[1] - first.xyz[1] + self.lift
'''


WORDS = "{% block question %}Own {{ points[0] }}?{% endblock %}{% block answer %}{{ answer }}{% endblock %}"


def write_task(folder: Path, name: str, code: str = OWN) -> Path:
    path = folder / f"{name}_file.py"
    path.write_text(code.replace("{name}", name))
    (folder / f"{name}.jinja").write_text(WORDS)
    return path


def load_own(path: Path) -> None:
    """Load a file that the user names."""
    name_files([path])
    load_tasks(path)
