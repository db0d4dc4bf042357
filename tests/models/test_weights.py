"""Weights on disk: round trips, errors for damaged files, and no code run on loading."""

import os
import pickle

import pytest
import torch

from tests.limits import files_up_to, left_over
from transclipped.errors import InputError
from transclipped.models.weights import load_tensors, save_tensors

STATE = {"weight": torch.arange(6.0).view(2, 3), "steps": torch.tensor(7), "half": torch.ones(2, dtype=torch.float16)}


def same(ours, expected):
    equal = (torch.equal(ours[k], v) and ours[k].dtype == v.dtype for k, v in expected.items())
    return ours.keys() == expected.keys() and all(equal)


def test_tensors_views_and_parameters_are_restored(tmp_path):
    state = STATE | {"transposed": torch.arange(6.0).view(2, 3).T, "parameter": torch.ones(2, requires_grad=True)}
    save_tensors(tmp_path / "new" / "a.safetensors", state)
    assert same(load_tensors(tmp_path / "new" / "a.safetensors"), state)


@pytest.mark.parametrize("wrapped", ["state_dict", "model", None])
def test_torch_files_of_plain_tensors_are_read(wrapped, tmp_path):
    torch.save({wrapped: STATE, "epoch": 3} if wrapped else STATE, tmp_path / "a.pth")
    assert same(load_tensors(tmp_path / "a.pth"), STATE)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
@pytest.mark.parametrize("keep", [0, 1, 8, 0.3, 0.9, 0.999])
def test_truncated_files_are_rejected(name, keep, tmp_path):
    path, state = tmp_path / name, {"weight": torch.randn(100, 100)}
    save_tensors(path, state) if name.endswith("safetensors") else torch.save(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    with pytest.raises(InputError, match=rf"{name} is damaged") as caught:
        load_tensors(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "a.bin"])
def test_files_of_another_kind_are_rejected(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with pytest.raises(InputError, match="damaged"):
        load_tensors(tmp_path / name)


def test_missing_files_and_folders_are_rejected(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            load_tensors(path)


def test_no_code_in_a_file_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    torch.save({"weight": Trap()}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Trap()))
    for name in ("a.pth", "b.pth"):
        with pytest.raises(InputError, match="damaged"):
            load_tensors(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [[torch.ones(2)], {"weight": [1, 2]}, torch.ones(2)])
def test_files_without_named_tensors_are_rejected(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(InputError, match="state_dict"):
        load_tensors(tmp_path / "a.pth")


def test_full_disk_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, STATE)
    with files_up_to(1000), pytest.raises(InputError, match=r"cannot write .*a\.safetensors.*free some space"):
        save_tensors(path, {"weight": torch.zeros(1000)})
    assert same(load_tensors(path), STATE) and not left_over(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
