"""How what is known of a picture is turned upright with it, by the EXIF orientation of its file.

Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass

from toolkit.geometry.camera import Camera


@dataclass(frozen=True, slots=True)
class ExifTurn:
    """How the picture is turned upright, and how what its line in a manifest says of it is.

    Attributes:
        picture: The EXIF orientation of the stored picture, 1 to 8, with which its depth map turns.
        line: The turn that the line's camera, points and pose need, 1 to 8: that of the picture, or 1 if the size in
            the intrinsics shows that they belong to the upright picture.
    """

    picture: int = 1
    line: int = 1

    def is_guessed(self, camera: Camera) -> bool:
        """Whether the stored and the upright picture have the same size, so that it does not show which one is meant.

        Args:
            camera: The camera of the upright picture.
        """
        return self.line in (2, 3, 4) or (self.line != 1 and camera.width == camera.height)

    @classmethod
    def of(cls, camera: Camera, width: int, height: int, orientation: int) -> "ExifTurn | None":
        """The turn of a line whose intrinsics are those of ``camera``; None if they are for another size.

        Where the stored and the upright picture have the same size, everything belongs to the stored one.

        Args:
            camera: The camera as the line states it.
            width: The width of the stored picture [px].
            height: The height of the stored picture [px].
            orientation: The EXIF orientation of the stored picture.
        """
        if (camera.width, camera.height) == (width, height):
            return cls(orientation, orientation)
        sideways = orientation >= 5 and (camera.width, camera.height) == (height, width)
        return cls(orientation, 1) if sideways else None


UPRIGHT = ExifTurn()
"""The turn of a line whose picture is stored upright."""
