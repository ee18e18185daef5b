"""Draw the layers of the toolkit, from the imports that the code really has: ``python docs/draw_layers.py``.

Writes ``docs/layers.svg``. A row is a layer, with what lives in it; a dot says that the layer of the row imports the
layer of the column. All dots lie to the right of the diagonal: imports point down.
"""

import ast
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DRAWING = ROOT / "docs" / "layers.svg"
LAYERS = (
    "cli",
    "training",
    "inference",
    "evaluation",
    "modeling",
    "config",
    "qa",
    "data",
    "geometry",
    "utils",
    "errors",
    "foreign_text",
)
"""From top to bottom; ``tests/test_layers.py`` holds that nothing imports upwards."""

_ROW, _LEFT, _TEXT, _COLUMN, _HEAD = 58, 130, 760, 34, 92  # px
_STYLE = """
text { font-family: "DejaVu Sans", Verdana, sans-serif; font-size: 13px; fill: #1b1f24 }
.name { font-weight: bold; font-size: 15px } .inside { font-size: 11.5px; fill: #57606a } .dot { fill: #0550ae }
.row { fill: #f6f8fa } .own { fill: #d0d7de }
"""


def module_name(path: Path) -> str:
    """The dotted name of a file below the project's folder; a package's is that of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def module_files() -> dict[str, Path]:
    """The file of every module of the package, by dotted name."""
    return {module_name(path): path for path in sorted((ROOT / "toolkit").rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """All modules that a file imports, anywhere in it; those of the toolkit as precisely as can be told."""
    files = module_files()
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in files else node.module for name in names}
    return found


def layer_of(module: str) -> str:
    """The layer of a module: the first part of its name below ``toolkit``; "" for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def layer_imports() -> dict[str, set[str]]:
    """Which layers each layer imports."""
    found: dict[str, set[str]] = {layer: set() for layer in LAYERS}
    for module, path in module_files().items():
        if layer_of(module) in found:
            used = {layer_of(other) for other in imports(path) if other.split(".")[0] == "toolkit"}
            found[layer_of(module)] |= used & set(LAYERS)
    return {layer: others - {layer} for layer, others in found.items()}


def purpose(layer: str) -> str:
    """The first line of a layer's docstring."""
    path = module_files()[f"toolkit.{layer}"]
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()[0].replace("``", "")


def contents(layer: str) -> list[str]:
    """The packages (with a slash) and modules that stand directly in a layer."""
    folder = ROOT / "toolkit" / layer
    if not folder.is_dir():
        return []
    packages = sorted(f"{path.parent.name}/" for path in folder.glob("*/__init__.py"))
    return packages + sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def drawing() -> str:
    """The drawing, as SVG."""
    width = _LEFT + _TEXT + _COLUMN * len(LAYERS) + 20
    height = _HEAD + _ROW * len(LAYERS) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT + _TEXT - 8}" y="20" text-anchor="end">imports of the layer</text>',
    ]
    for column, layer in enumerate(LAYERS):
        x = _LEFT + _TEXT + _COLUMN * column + _COLUMN // 2
        parts.append(f'<text x="{x}" y="{_HEAD - 10}" transform="rotate(-60 {x} {_HEAD - 10})">{layer}</text>')
    used = layer_imports()
    for row, layer in enumerate(LAYERS):
        parts += _row(row, layer, used[layer], width)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(row: int, layer: str, used: set[str], width: int) -> list[str]:
    top = _HEAD + _ROW * row
    parts = [
        f'<rect class="row" x="10" y="{top}" width="{width - 20}" height="{_ROW - 4}" rx="6"/>',
        f'<text class="name" x="22" y="{top + 32}">{layer}</text>',
        f'<text x="{_LEFT}" y="{top + 23}">{escape(purpose(layer))}</text>',
        f'<text class="inside" x="{_LEFT}" y="{top + 42}">{escape(" · ".join(contents(layer)))}</text>',
    ]
    for column, other in enumerate(LAYERS):
        x, y = _LEFT + _TEXT + _COLUMN * column + _COLUMN // 2, top + _ROW // 2 - 2
        if other == layer:
            parts.append(f'<rect class="own" x="{x - 7}" y="{y - 7}" width="14" height="14" rx="3"/>')
        elif other in used:
            parts.append(f'<circle class="dot" cx="{x}" cy="{y}" r="6"/>')
    return parts


if __name__ == "__main__":
    DRAWING.write_text(drawing(), encoding="utf-8")
    print(DRAWING)
