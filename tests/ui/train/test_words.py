"""Messages use the labels of the form."""

import pytest

from transclipped.flags import FLAGS
from transclipped.ui.text import plain
from transclipped.ui.train.words import FIELDS, in_app_words


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("schedule.batch is 128", "*Batch* is 128"),
        ("name it with --data", "name it with *Folder or file*"),
        ("choose a smaller --train-limit", "choose a smaller *Training images*"),
        ("/home/data.data/x", plain("/home/data.data/x")),
        ("--data-set", plain("--data-set")),
        ("the file select is odd", "the file select is odd"),
        ("", ""),
    ],
)
def test_settings_and_flags_become_labels_and_the_rest_is_unchanged(message, text):
    assert in_app_words(message) == text


def test_every_label_belongs_to_a_setting():
    assert set(FIELDS) <= {flag.path for flag in FLAGS}
