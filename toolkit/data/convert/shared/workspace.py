"""Where a format puts its work: paths of the set's files as the manifest names them, files of its own, seeded draws."""

import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from toolkit.data.convert.base_format import Item, Options, Skipped
from toolkit.data.convert.readers.read_files import check_picture, must_exist
from toolkit.data.convert.shared.label_selection import sample
from toolkit.data.frames.frame import DepthType, SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.files import make_folder, write_bytes

_COPIES = "files"


@dataclass(frozen=True)
class Desk:
    """One conversion's folders and options.

    Attributes:
        source: The set as downloaded, absolute.
        dest: Where the manifest will be, absolute.
        options: What the user chose.
    """

    source: Path
    dest: Path
    options: Options

    def picture(self, path: Path) -> str:
        """A picture of the set, checked to be whole, as the manifest names it.

        Raises:
            UserError: If it is missing or damaged.
        """
        check_picture(path)
        return self.refer(path)

    def refer(self, path: Path) -> str:
        """A file of the set as the manifest names it; linked or copied to DEST if the user chose so.

        Names are relative where DEST lies beside SOURCE, or one in the other, so that both can move together;
        else absolute, so that DEST can move.

        Raises:
            UserError: If it is missing.
        """
        _check_below(path, self.source)
        must_exist(path)
        if self.options.images == "reference":
            return self._seen_from(self.dest, path)
        placed = self.dest / _COPIES / path.relative_to(self.source)
        make_folder(placed.parent)
        scratch = placed.with_name(f".{placed.name}.{secrets.token_hex(4)}.tmp")
        try:
            if self.options.images == "link":
                scratch.symlink_to(self._seen_from(placed.parent, path))
            else:
                shutil.copyfile(path, scratch)
            scratch.replace(placed)
        except OSError as error:
            raise UserError(f"{placed}: cannot be written", str(error), "choose another DEST, or make room") from None
        finally:
            scratch.unlink(missing_ok=True)
        return placed.relative_to(self.dest).as_posix()

    def write(self, name: str, data: bytes) -> str:
        """Write a file of our own below DEST, for what the set packs into archives; its name in the manifest."""
        _check_below(self.dest / name, self.dest)
        write_bytes(self.dest / name, data)
        return name

    def write_picture(self, name: str, pixels: Pixels) -> str:
        """Write pixels (H, W, 3) RGB as PNG below DEST; its name in the manifest."""
        return self.write(name, cv2.imencode(".png", np.asarray(pixels, dtype=np.uint8)[..., ::-1])[1].tobytes())

    def generator(self, item: Item) -> np.random.Generator:
        """Draws that depend on the seed and the item's name alone, not on workers or order."""
        digest = hashlib.sha256(f"{self.options.seed}\n{item.name}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "little"))

    def sparse(self, item: Item, camera: Camera, found: tuple[Array, Array], depth_type: DepthType) -> SparseDepth:
        """As many labels as the user wants.

        Args:
            item: Whose labels.
            camera: Of the picture.
            found: All labelled pixels (N, 2) and their depth (N,) [m] of ``depth_type``.
            depth_type: What the depths are.

        Raises:
            Skipped: If there is none.
        """
        pixels, depth = found
        size = (camera.width, camera.height)
        kept = sample(pixels, depth, size, self.options.points, self.options.edge_margin, self.generator(item))
        if not kept.size:
            raise Skipped("no depth is known in it")
        return SparseDepth(pixels[kept], depth[kept], depth_type)

    def _seen_from(self, folder: Path, path: Path) -> str:
        source, dest = self.source.resolve(), self.dest.resolve()
        if dest.is_relative_to(source.parent) or source.is_relative_to(dest):
            place = dest / folder.relative_to(self.dest)
            return Path(os.path.relpath(source / path.relative_to(self.source), place)).as_posix()
        return path.as_posix()


def _check_below(path: Path, folder: Path) -> None:
    """Names come out of the set's files: none may lead elsewhere."""
    if ".." in path.parts or not path.is_relative_to(folder):
        raise UserError(
            f"{path}: this leads out of {folder}",
            cause="a name in the set's files is absolute or goes upward",
            remedy="get the set again from where it is published",
        )
