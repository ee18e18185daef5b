"""Habitat-Matterport 3D as Omnidata's starter set renders it: pictures, depth and cameras of 900 scanned buildings.

Source: Ramakrishnan et al. 2021, "Habitat-Matterport 3D Dataset"; Eftekhar et al. 2021, "Omnidata"; for the files see
``toolkit.data.convert.shared.omnidata``. Pictures and depth are rendered from one mesh, so they fit exactly.
"""

from pathlib import Path

from toolkit.data.convert.base_format import ConvertOptions, DatasetInfo, DatasetListing, ManifestRow
from toolkit.data.convert.shared.omnidata import DEPTH_TYPE, SPLITS, OmnidataPicture, list_pictures, picture_row
from toolkit.data.convert.shared.workspace import Workspace

INFO = DatasetInfo(
    title="HM3D (in Omnidata's starter set)",
    home="https://github.com/EPFL-VILAB/omnidata (omnitools.download, --components hm3d)",
    license="Matterport End User License Agreement for Academic Use of Model Data (non-commercial), and Omnidata's",
    attribution="HM3D, Ramakrishnan et al. 2021, Matterport and Meta; Omnidata, Eftekhar et al. 2021, EPFL",
    depth_type=DEPTH_TYPE,
    layout="""
rgb/hm3d/BUILDING/point_*_view_*_domain_rgb.png
depth_euclidean/hm3d/BUILDING/*.png     or depth_zbuffer
point_info/hm3d/BUILDING/*.json
train_val_test_hm3d.csv                 for --split only; from the set's repository
""",
    splits=SPLITS,
)


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """All pictures of the buildings that are there."""
    return list_pictures(source, options, INFO, "hm3d")


def convert(item: OmnidataPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture."""
    return picture_row(item, workspace)
