"""What a format works with: paths as the manifest names them, files written to DEST, labels, seeded draws."""

import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from toolkit.data.convert.base_format import ConvertOptions, DatasetItem, Skipped
from toolkit.data.convert.readers.read_files import check_picture, must_exist
from toolkit.data.convert.shared.label_selection import select_labels
from toolkit.data.frames.frame import DepthType, SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.files import write_bytes
from toolkit.utils.overwrite import check_overwrite
from toolkit.utils.system_errors import file_error, system_error

_COPIES = "files"

COMMAND = "data convert"
"""The command that writes to DEST."""


@dataclass(frozen=True)
class Workspace:
    """The folders and options of one conversion.

    Attributes:
        source: The absolute path of the data set as downloaded.
        dest: The absolute path of the folder for the manifest.
        options: The options that the user chose.
        free_to_write: Whether files in DEST may be written over: an earlier call wrote them, or the user allows it.
    """

    source: Path
    dest: Path
    options: ConvertOptions
    free_to_write: bool = True

    def reference_picture(self, path: Path) -> str:
        """Check that a picture of the data set is whole, and return its path as the manifest names it.

        Raises:
            UserError: If it is missing or damaged.
        """
        check_picture(path)
        return self.reference_file(path)

    def reference_file(self, path: Path) -> str:
        """The path of a file of the data set as the manifest names it.

        The file is linked or copied to DEST first if the user chose so. The path is relative where DEST lies beside
        SOURCE or one lies in the other, so that both can be moved together. Otherwise it is absolute, so that DEST
        can be moved alone.

        Raises:
            UserError: If it is missing.
        """
        _check_below(path, self.source)
        must_exist(path)
        if self.options.images == "reference":
            return self._path_from(self.dest, path)
        placed = self.dest / _COPIES / path.relative_to(self.source)
        inputs = () if placed.is_symlink() else (path,)  # a link of an earlier call leads to the file itself
        check_overwrite([placed], COMMAND, self.free_to_write, inputs, own=False)
        scratch = placed.with_name(f".{placed.name}.{secrets.token_hex(6)}.tmp")
        try:
            placed.parent.mkdir(parents=True, exist_ok=True)
            if self.options.images == "link":
                scratch.symlink_to(self._path_from(placed.parent, path))
            else:
                shutil.copyfile(path, scratch)
            scratch.replace(placed)
        except OSError as error:
            # On a full disk, the error names the file that is read.
            unread = system_error(path, error, "read") if error.filename == str(path) else None
            raise unread or file_error(placed, error) from None
        finally:
            scratch.unlink(missing_ok=True)
        return placed.relative_to(self.dest).as_posix()

    def write(self, name: str, data: bytes) -> str:
        """Write a file to DEST, for a picture that the data set packs into another file.

        Args:
            name: The path of the file, relative to DEST.
            data: The content of the file.

        Returns:
            The path as the manifest names it.
        """
        _check_below(self.dest / name, self.dest)
        check_overwrite([self.dest / name], COMMAND, self.free_to_write, own=False)
        write_bytes(self.dest / name, data)
        return name

    def write_picture(self, name: str, pixels: Pixels) -> str:
        """Write a picture (H, W, 3), RGB, to DEST as PNG; returns its path as the manifest names it."""
        return self.write(name, cv2.imencode(".png", np.asarray(pixels, dtype=np.uint8)[..., ::-1])[1].tobytes())

    def random_generator(self, item: DatasetItem) -> np.random.Generator:
        """A generator that depends only on the seed and the name of the item, not on workers or order."""
        digest = hashlib.sha256(f"{self.options.seed}\n{item.name}".encode("utf-8", "surrogatepass")).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "little"))

    def sample_labels(
        self, item: DatasetItem, camera: Camera, found: tuple[Array, Array], depth_type: DepthType
    ) -> SparseDepth:
        """Choose as many labels as the user wants.

        Args:
            item: The picture that is labelled.
            camera: The camera of the picture.
            found: All labelled pixels (N, 2), and their depths (N,) [m].
            depth_type: The kind of the depths, z-depth or Euclidean.

        Raises:
            Skipped: If there is no label.
        """
        pixels, depth = found
        size = (camera.width, camera.height)
        rng = self.random_generator(item)
        kept = select_labels(pixels, depth, size, self.options.points, self.options.edge_margin, rng)
        if not kept.size:
            raise Skipped("no depth is known in it")
        return SparseDepth(pixels[kept], depth[kept], depth_type)

    def _path_from(self, folder: Path, path: Path) -> str:
        """The path of a file of SOURCE, as it is named in a folder of DEST."""
        source, dest = self.source.resolve(), self.dest.resolve()
        if dest.is_relative_to(source.parent) or source.is_relative_to(dest):
            place = dest / folder.relative_to(self.dest)
            return Path(os.path.relpath(source / path.relative_to(self.source), place)).as_posix()
        return path.as_posix()


def _check_below(path: Path, folder: Path) -> None:
    """Raise a UserError if a path leads out of a folder: the names come from files of the data set."""
    if ".." in path.parts or not path.is_relative_to(folder):
        raise UserError(
            f"{path}: this path leads out of {folder}",
            cause="a name in the set's files is absolute or goes upward",
            remedy="get the set again from where it is published",
        )
