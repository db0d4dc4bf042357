"""Messages about settings with the labels of the form: `schedule.batch` and `--batch` become *Batch*."""

from __future__ import annotations

import re

from transclipped.clipping import AMOUNTS
from transclipped.flags import FLAGS
from transclipped.ui.text import plain

_LABELS = """
data.dataset=Data set, data.data=Folder or file, data.labels=Labels, data.annotations=Annotations,
data.protocol=Protocol, data.validation=Validation images, data.train_limit=Training images,
data.query_limit=Query images, data.database_limit=Database images, backbone.name=Backbone,
backbone.train=Trainable layers, quantizer.bits=Bits, clipping.rule=Clipping rule, clipping.treatment=Clipped pairs,
clipping.start=Clip from epoch, clipping.full=Full from epoch, clipping.on=Compared embeddings,
loss.temperature=Temperature τ, loss.objective=Objective, schedule.epochs=Epochs, schedule.batch=Batch,
schedule.lr=Learning rate, schedule.views=Views, seed=Seed, select=Checkpoint"""
FIELDS = dict(pair.strip().split("=") for pair in _LABELS.split(","))  # label by setting
FIELDS |= {f"clipping.{amount.field}": amount.label for amount in AMOUNTS}
_BY_FLAG = {flag.name: FIELDS[flag.path] for flag in FLAGS if flag.path in FIELDS}
_SETTING = re.compile(
    "|".join(rf"(?<![\w./-]){re.escape(n)}(?![\w-])" for n in [*_BY_FLAG, *(p for p in FIELDS if "." in p)])
)


def in_app_words(error: str) -> str:
    """A message of the library as Markdown, with the form's labels for settings and flags."""
    labels = _BY_FLAG | FIELDS
    parts, end = [], 0
    for match in _SETTING.finditer(error):
        parts += [_escape(error[end : match.start()]), f"*{labels[match[0]]}*"]
        end = match.end()
    return "".join([*parts, _escape(error[end:])])


def _escape(text: str) -> str:
    """`text` as Markdown, with plain spaces at its ends."""
    inner = text.strip(" ")
    before, after = text.startswith(" "), text.endswith(" ") and bool(inner)
    return " " * before + plain(inner) + " " * after
