"""The published weights of SAM."""

from __future__ import annotations

from types import MappingProxyType

from runtime.weights import WeightsFile

LICENCE = "Apache-2.0"
TRAINING_DATA = "SA-1B (SA-1B Dataset Research License: research only)"
"""The weights may be used for any purpose; the images that they were trained on may not."""

_SOURCE = "https://dl.fbaipublicfiles.com/segment_anything"

FILES = MappingProxyType(
    {
        name: WeightsFile(name, file_name, f"{_SOURCE}/{file_name}", size_bytes, sha256, LICENCE)
        for name, file_name, size_bytes, sha256 in (
            (
                "vit_h",
                "sam_vit_h_4b8939.pth",
                2_564_550_879,
                "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
            ),
            (
                "vit_l",
                "sam_vit_l_0b3195.pth",
                1_249_524_607,
                "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
            ),
            (
                "vit_b",
                "sam_vit_b_01ec64.pth",
                375_042_383,
                "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
            ),
        )
    }
)
"""By name, largest and best first."""
