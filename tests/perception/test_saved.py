"""Files of weights: nothing is lost by a failed write, every type comes back, and an encoder can go on elsewhere."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from visnav.perception.encoders import ENCODERS
from visnav.perception.saved import CheckpointError, load_arrays, load_maps, load_network, save_arrays, save_network

SHAPE = (64, 64, 3)


def test_a_failed_write_leaves_the_file_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.safetensors"
    save_arrays(path, "training", {"a": np.arange(3)}, {"steps": 1})

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"no space left on device: .*file\.safetensors"):
        save_arrays(path, "training", {"a": np.arange(4)}, {"steps": 2})
    arrays, values = load_arrays(path, "training")
    assert values == {"steps": 1}
    assert arrays["a"].tolist() == [0, 1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["file.safetensors"]


def test_every_type_of_array_comes_back(tmp_path: Path) -> None:
    arrays = {kind: np.array([0, 1], kind) for kind in ("bool", "uint8", "uint16", "int32", "uint64", "float64")}
    arrays |= {"scalar": np.array(2**63, np.uint64), "empty": np.zeros((0, 3)), "turned": np.eye(3)[:, :2].T}
    save_arrays(tmp_path / "file", "training", arrays, {})
    loaded, _ = load_arrays(tmp_path / "file", "training")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)


class Seer(nn.Module):
    """An encoder that was taught something."""

    def __init__(self, kind: str, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = ENCODERS[kind](SHAPE)


@pytest.mark.parametrize("kind", list(ENCODERS))
def test_an_encoder_starts_with_what_another_learned(tmp_path: Path, kind: str) -> None:
    """Its maps are those of the saved one; its vector stays its own."""
    taught, other = Seer(kind, 0), Seer(kind, 1)
    save_network(tmp_path / "network", taught, {"classes": ["wall", "floor"]})
    _, values = load_network(tmp_path / "network")
    assert values == {"encoder": kind, "image_shape": list(SHAPE), "classes": ["wall", "floor"]}
    own = {name: tensor.clone() for name, tensor in other.encoder.head.state_dict().items()}
    load_maps(tmp_path / "network", other.encoder)
    images = torch.randint(0, 256, (2, *SHAPE), dtype=torch.uint8)
    assert torch.equal(other.encoder.features(images), taught.encoder.features(images))
    assert all(torch.equal(tensor, own[name]) for name, tensor in other.encoder.head.state_dict().items())


def test_an_encoder_of_another_kind_or_for_other_images_is_refused(tmp_path: Path) -> None:
    save_network(tmp_path, Seer("nature", 0), {})
    with pytest.raises(CheckpointError, match=r"is nature, this one is Impala; use --encoder nature"):
        load_maps(tmp_path, ENCODERS["impala"](SHAPE))
    with pytest.raises(CheckpointError, match=r"network\.safetensors do not fit"):
        load_maps(tmp_path, ENCODERS["nature"]((64, 64, 12)))
    with pytest.raises(CheckpointError, match="there is no file"):
        load_maps(tmp_path / "nowhere", ENCODERS["nature"](SHAPE))
