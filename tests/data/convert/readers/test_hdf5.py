"""Tests of the HDF5 reader: on a file that h5py wrote, and on damaged ones."""

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.support.hdf5_writer import Hdf5Writer
from toolkit.data.convert.readers.hdf5 import open_hdf5
from toolkit.errors import UserError

# Written by h5py 3.16 (HDF5 2.0) with userblock_size=512 and libver="earliest", which is what MATLAB's files are like:
# arrays in chunks (deflated and shuffled; 80 of them, so that the B-tree has two levels), in one piece, of references,
# and so many names that the root group has several nodes.
H5PY = (
    "c-rmT*>4*~90%}Ouj9ILj!l!s&h6ayeL9z&!?`coLd%ufNt`-T*rK+m=7k0!p&-N~qAx(XBpxH4ctqkK;Ee|!D7QdDMdE>|6@;~S*1=!<XBVlJ"
    ";$(i6I-2pvYiD+6=Qq1+#zdUtcw=UADm$|{Gg7fynVBj23nsld;1QgStsC$6@lxXDE-ybd8SPT!H3x6c<J(7f;hfjYm>k_ceolv3FE1IN<JQX^"
    "UUyFE<$&0w$1-NTV=Liu5010Xhad0fO3b1k+mcal&`XovkingWmsppz<2@`Dt1+Y$?yQk^ldNyZrX9IbWV^=jvqnbF_25gJo7(|nIBG3=`$k}M"
    "+kYd#_^{Ag^${kU<WR=p2sR&%WX~h%kMm2*laluB8+bjGV!#>We$Sp_{~G6mq2z9bm%)+b&NxqmMvvz496sNLk1agk<)?VxUanpiK)V_0UvgK-"
    "Vov9A@ilh}INaXv+~p9j8}T=HS>Vvyl-RljoJpMWM2HX}LWBqrBJ_NA^}+tHf4+0i{mMW0b2Hd$w{t(yn(n{#>UV!tSYAIksC2Nog;U>ZZ4d6b"
    "<!)Q^H(F9zq~-qO7cH5g)%A@vpYIpnj?CC^EI+jR!;jzp?Dv?MX`3}`wV&2K+T!9fR;sN-WOIh)l=XC`Eh{@GSIIk*UvRe2?kFlQDJ?6na8_1T"
    "*VNY4H#9aix3spkcXW1j_w@Gl54Z-0hDS!-p0V+XN$=G3%<SC!!s61h{^jrTMf*N4&5<>Udq-cK_}LBZ-xgbEyDnq3qkjvr+eL^FAwt9nkMOm("
    "WY;5CqK+l3N3Tal+pLlQ@p|Nct|xxsINXGExT&2Z(I1iPXp$-JI+~Q?eI2c_{o*3repPIJ8TwNaholG*B1DJ~Awoo2gns|k9?b(WZ=~|U6(u(B"
    "8zkHl;HcZ$=fF{qGn@xU-TuA+j=KH*Bse$Wo&x6~+(mF>gu4W8oN!Nrn;_gX;3f(8EI2RWo&z^UxaYx56K)mU4B;+=n<bnN+#KQj;N}Up25y0H"
    ">);j%w*hX6Z~<`3gxgfa`b&fe5h6q!mAugv%@>X9gQ?~ryYg`JmIEC199$7NnQ+D6sOR=dz-17w6r6={W#FiLxaHuigsT8|ns82VnS`qZXCqt{"
    "xGcg|gUcpd4Y(Y_)q=|<Tpc)taP{Ew2-g7a4B;BVQO~V5fh!<fGq|&aYXMhCxK?n~<Hv2_9E58JS46lDaK(h{1Xn`1E^wuU>jqawxE^rjgzE)Y"
    "LAX9}PQvwrt0de2xGKWAz*Q4&5L^x6hQQSlZWvr0;YPsK6K)h-1L54@8VTnC*F?B6aLt4p2iHQl32?21n*`TJI4`(%!cBqeAlx*#PQuNA>muAN"
    "xNgGDf$JgMJh)!MEr9DI+#<Ms!YzTLe$KHB&LvX8{}u7~?e&>PlBAgY?XYx2Xr9x}b0QDxv9X>5*~riM{dyDJua~YUiD$Ci<Ix|L6+DM^GP{-8"
    "Z?RPUaZ5>@xgGWXNc=l9%+C`&*OBmdW^w)Urjj^A-bsu8z;%=q*B|=dZRcwWx*y(F60bat`te~U_kY6YdgA`>ca_8|(K~5%Ugf`!+%W1d_|=!g"
    "<;~#L?SNLUZC$w>P&c;xs{Z=TtJfm-T43{fxKw$<pz?%3<rBWjCv=rh*eaipRX*XW{STM7J-+?-URv+JN8casr*(fAzpM4}`d6OhKFG_vW69l%"
    "y!>N4xeG-T^yJQ%9Te|LIj-)AaTe1bABg^l>5mUZf5i01N1{Js`s3qcFfW;-&wbn;Ozw>=+9@Y@#&yDAe{yGBkJwG~3l9GRV22nB"
)


@pytest.fixture
def from_h5py(tmp_path: Path) -> Path:
    path = tmp_path / "h5py.mat"
    path.write_bytes(zlib.decompress(base64.b85decode(H5PY)))
    return path


def test_what_h5py_wrote_is_read(from_h5py: Path) -> None:
    file = open_hdf5(from_h5py)
    np.testing.assert_array_equal(file["shuffled"].read(), np.arange(-15, 15).reshape(5, 6))
    np.testing.assert_array_equal(file["shuffled"].row(3), np.arange(3, 9))
    np.testing.assert_array_equal(file["many"].read()[:, 0], np.arange(80))
    np.testing.assert_array_equal(file["many"].row(77), [77])
    np.testing.assert_array_equal(file["whole"].read(), [0.5, 1.5, 2.5])
    assert file["whole"].row(2) == 2.5
    np.testing.assert_array_equal(file["big_endian"].read(), [0, 1, 2])
    assert [int(file[f"n{number}"].read()) for number in range(8)] == list(range(8))
    (address,) = file["refs"].read().ravel()
    assert "".join(map(chr, file.at(int(address)).read().ravel())) == "attic"
    assert file["shuffled"].dtype == np.int16
    assert file["many"].shape == (80, 1)


def test_what_is_not_there_is_named(from_h5py: Path) -> None:
    with pytest.raises(UserError, match="'rawDepths' is missing"):
        open_hdf5(from_h5py)["rawDepths"]


@pytest.mark.parametrize("size", [0, 100, 600, 18_000])
def test_a_file_cut_short_is_a_fault(from_h5py: Path, size: int) -> None:
    from_h5py.write_bytes(from_h5py.read_bytes()[:size])
    with pytest.raises(UserError) as caught:
        open_hdf5(from_h5py)
    assert str(from_h5py) in str(caught.value)
    if size == 18_000:
        assert caught.value.cause == "it has 18000 of 18792 bytes"


def test_damage_anywhere_is_a_fault_or_does_no_harm(from_h5py: Path, tmp_path: Path) -> None:
    whole = np.frombuffer(from_h5py.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    messages = []
    for number in range(150):
        broken = whole.copy()
        at = rng.integers(512, len(whole) - 16)
        broken[at : at + 16] = rng.integers(0, 256, 16)
        path = tmp_path / f"{number}.mat"
        path.write_bytes(broken.tobytes())
        try:
            for name in ("shuffled", "many", "whole", "refs"):
                open_hdf5(path)[name].read()
        except UserError as fault:
            messages.append((str(path), str(fault)))
    assert 10 < len(messages) < 150
    assert all(path in message for path, message in messages)


def test_a_damaged_size_does_not_ask_for_the_memory_it_names(tmp_path: Path) -> None:
    writer = Hdf5Writer()
    writer.put("values", np.ones((1, 3)))
    writer.save(tmp_path / "file.mat")
    content = (tmp_path / "file.mat").read_bytes()
    (tmp_path / "file.mat").write_bytes(content.replace(struct.pack("<2Q", 1, 3), struct.pack("<2Q", 1, 1 << 40)))
    with pytest.raises(UserError, match="the file cannot be read") as caught:
        open_hdf5(tmp_path / "file.mat")["values"].read()
    assert f"{8 << 40} bytes are wanted" in caught.value.cause


def test_what_is_not_known_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "new.mat"
    path.write_bytes(b"\x89HDF\r\n\x1a\n\x03\x08\x08" + bytes(100))
    with pytest.raises(UserError, match="superblock version 3 of HDF5 is not known here"):
        open_hdf5(path)
    path = tmp_path / "v5.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(2000))
    with pytest.raises(UserError, match="this is no HDF5 file"):
        open_hdf5(path)


@pytest.mark.parametrize("user_block", [0, 512, 1024])
@pytest.mark.parametrize("chunk", [(), (2, 3, 4), (1, 5, 7), (4, 5, 7)])
def test_arrays_of_all_shapes_of_chunks_are_read(tmp_path: Path, user_block: int, chunk: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).normal(size=(4, 5, 7)).astype(np.float32)
    writer = Hdf5Writer(user_block)
    writer.put("values", values, chunk)
    writer.save(tmp_path / "file.mat")
    found = open_hdf5(tmp_path / "file.mat")["values"]
    np.testing.assert_array_equal(found.read(), values)
    for index in (3, 0, 2):
        np.testing.assert_array_equal(found.row(index), values[index])
