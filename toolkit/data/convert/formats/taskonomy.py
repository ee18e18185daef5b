"""Taskonomy: photographs of 537 scanned buildings, with depth rendered from the scans.

Source: Zamir et al. 2018, "Taskonomy: Disentangling Task Transfer Learning"; for the files see
``toolkit.data.convert.shared.omnidata``. The photographs are real and the scans coarse, so depth is wrong at thin
things and at edges.
"""

from pathlib import Path

from toolkit.data.convert.base_format import ConvertOptions, DatasetInfo, DatasetListing, ManifestRow
from toolkit.data.convert.shared.omnidata import DEPTH_TYPE, SPLITS, OmnidataPicture, list_pictures, picture_row
from toolkit.data.convert.shared.workspace import Workspace

INFO = DatasetInfo(
    title="Taskonomy",
    home="https://github.com/StanfordVL/taskonomy (omnitools.download, --components taskonomy)",
    license="Taskonomy End User License Agreement (non-commercial research or education)",
    attribution="Taskonomy, Zamir et al. 2018, Stanford University and UC Berkeley",
    depth_type=DEPTH_TYPE,
    layout="""
rgb/taskonomy/BUILDING/point_*_view_*_domain_rgb.png
depth_euclidean/taskonomy/BUILDING/*.png     or depth_zbuffer
point_info/taskonomy/BUILDING/*.json
train_val_test_*.csv                         for --split only; from the set's repository
(or the set's own archives: BUILDING/rgb, BUILDING/depth_euclidean, BUILDING/points)
""",
    splits=SPLITS,
)


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures of the buildings that are there."""
    return list_pictures(source, options, INFO, "taskonomy")


def convert(item: OmnidataPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture."""
    return picture_row(item, workspace)
