"""Masks of objects: run-length encoding, measurements, files and pictures."""

from hooke.masks.files import CSV_COLUMNS, write_csv, write_label_tiff
from hooke.masks.measurements import measure
from hooke.masks.overlaps import measure_rles
from hooke.masks.overlay import overlay, write_overlay_png
from hooke.masks.rle import compose_labels, decode_mask, encode_counts, encode_labels, encode_mask
from hooke.masks.runs import relabel

__all__ = [
    "CSV_COLUMNS",
    "compose_labels",
    "decode_mask",
    "encode_counts",
    "encode_labels",
    "encode_mask",
    "measure",
    "measure_rles",
    "overlay",
    "relabel",
    "write_csv",
    "write_label_tiff",
    "write_overlay_png",
]
