"""Weights on disk: tensors come back, damaged files are told, and nothing runs on loading."""

import os
import pickle

import pytest
import torch

from tests.limits import files_up_to, left_over
from transclipped.errors import InputError
from transclipped.models.weights import load_tensors, save_tensors

STATE = {"weight": torch.arange(6.0).view(2, 3), "steps": torch.tensor(7), "half": torch.ones(2, dtype=torch.float16)}


def same(found, expected):
    return found.keys() == expected.keys() and all(
        torch.equal(found[k], v) and found[k].dtype == v.dtype for k, v in expected.items()
    )


def test_tensors_come_back_as_they_were(tmp_path):
    save_tensors(tmp_path / "new" / "a.safetensors", STATE)
    assert same(load_tensors(tmp_path / "new" / "a.safetensors"), STATE)


def test_views_and_tensors_with_gradients_are_saved_too(tmp_path):
    turned = torch.arange(6.0).view(2, 3).T
    save_tensors(tmp_path / "a.safetensors", {"turned": turned, "learnt": torch.ones(2, requires_grad=True)})
    found = load_tensors(tmp_path / "a.safetensors")
    assert torch.equal(found["turned"], turned)
    assert torch.equal(found["learnt"], torch.ones(2))


@pytest.mark.parametrize("wrapped", ["state_dict", "model", None])
def test_torch_files_of_plain_tensors_are_read(wrapped, tmp_path):
    torch.save({wrapped: STATE, "epoch": 3} if wrapped else STATE, tmp_path / "a.pth")
    assert same(load_tensors(tmp_path / "a.pth"), STATE)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
@pytest.mark.parametrize("keep", [0, 1, 8, 0.3, 0.9, 0.999])
def test_truncated_files_are_told(name, keep, tmp_path):
    path, state = tmp_path / name, {"weight": torch.randn(100, 100)}
    save_tensors(path, state) if name.endswith("safetensors") else torch.save(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    with pytest.raises(InputError, match=rf"{name} is damaged") as caught:
        load_tensors(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "a.bin"])
def test_files_of_something_else_are_told(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with pytest.raises(InputError, match="damaged"):
        load_tensors(tmp_path / name)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            load_tensors(path)


def test_nothing_in_a_file_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    torch.save({"weight": Trap()}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Trap()))
    for name in ("a.pth", "b.pth"):
        with pytest.raises(InputError, match="damaged or no file of plain tensors"):
            load_tensors(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [[torch.ones(2)], {"weight": [1, 2]}, torch.ones(2)])
def test_what_is_no_table_of_tensors_is_told(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"not a table of named tensors; save the model's state_dict"):
        load_tensors(tmp_path / "a.pth")


def test_full_disk_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, STATE)
    with files_up_to(1000), pytest.raises(InputError, match=r"cannot write .*a\.safetensors.*free some space"):
        save_tensors(path, {"weight": torch.zeros(1000)})
    assert same(load_tensors(path), STATE)
    assert not left_over(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
