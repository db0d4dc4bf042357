"""What a training says of its settings, in the words of the form: `schedule.batch` and `--batch` are *Batch* there."""

from __future__ import annotations

import re

from transclipped.clipping import AMOUNTS
from transclipped.flags import FLAGS
from transclipped.ui.text import plain

FIELDS = {  # setting: its label in the form
    "data.dataset": "Data set",
    "data.data": "Folder or file",
    "data.labels": "Labels",
    "data.annotations": "Annotations",
    "data.protocol": "Protocol",
    "data.validation": "Validation images",
    "data.train_limit": "Training images",
    "data.query_limit": "Query images",
    "data.database_limit": "Database images",
    "backbone.name": "Backbone",
    "backbone.train": "What learns",
    "quantizer.bits": "Bits",
    "clipping.rule": "Clipping rule",
    **{f"clipping.{amount.field}": amount.label for amount in AMOUNTS},
    "clipping.treatment": "Clipped pairs",
    "clipping.start": "Clip from epoch",
    "clipping.full": "fully from",
    "clipping.on": "Compared embeddings",
    "loss.temperature": "Temperature τ",
    "schedule.epochs": "Epochs",
    "schedule.batch": "Batch",
    "schedule.lr": "Learning rate",
    "schedule.views": "Views",
    "seed": "Seed",
    "select": "Epoch that is kept",
}
_BY_FLAG = {flag.name: FIELDS[flag.path] for flag in FLAGS if flag.path in FIELDS}
_SETTING = re.compile(
    "|".join(rf"(?<![\w./-]){re.escape(n)}(?![\w-])" for n in [*_BY_FLAG, *(p for p in FIELDS if "." in p)])
)


def in_app_words(error: str) -> str:
    """A sentence of the library as Markdown, its settings and flags called as in the form."""
    named = _BY_FLAG | FIELDS
    parts, end = [], 0
    for match in _SETTING.finditer(error):
        parts += [_within(error[end : match.start()]), f"*{named[match[0]]}*"]
        end = match.end()
    return "".join([*parts, _within(error[end:])])


def _within(text: str) -> str:
    """A piece of a sentence, whose own spaces join it to the next."""
    inner = text.strip(" ")
    before, after = text.startswith(" "), text.endswith(" ") and bool(inner)
    return " " * before + plain(inner) + " " * after
