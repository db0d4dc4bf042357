"""A complete JPEG without an end marker is used; a truncated one is refused."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from transclipped.datasets.images.decode import fault, open_image
from transclipped.errors import InputError


def jpeg(seed=0, **options):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 20, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((160, 48), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85, **options)
    return buffer.getvalue()


KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "full colour": {"subsampling": 0},
    "progressive full colour": {"progressive": True, "subsampling": 0},
    "restarts": {"restart_marker_rows": 1},
}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_a_complete_one_with_a_block_of_the_phone_is_used(options, seed, tmp_path):
    whole = jpeg(seed, **options)
    block = b"\0\0\x01\x0aPanorama" + np.random.default_rng(seed).bytes(3000) + b"SEFT"
    path = tmp_path / "pano.jpg"
    path.write_bytes(whole[:-2] + block)
    assert fault(path) is None
    assert open_image(path) == open_image(whole)
    path.write_bytes(whole[:-2])
    assert fault(path) is None and open_image(path) == open_image(whole)


@settings(max_examples=60, deadline=None)
@example(kind="restarts", seed=1, share=0.734375, tail=True)  # ends with an interval
@given(kind=st.sampled_from([*KINDS]), seed=st.integers(0, 5), share=st.floats(0.05, 0.95), tail=st.booleans())
def test_a_truncated_one_is_refused(kind, seed, share, tail):
    whole = jpeg(seed, **KINDS[kind])
    cut = whole[: int(len(whole) * share)] + (b"\0\0\x01\x0aPanorama" if tail else b"")
    with pytest.raises(InputError):
        open_image(cut)
