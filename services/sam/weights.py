"""The weights of SAM: what is published, and where what the settings name is on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from runtime.download import weights_for
from runtime.weights import WeightsError, WeightsFile
from services.sam.settings import SamSettings

LICENCE = "Apache-2.0"
TRAINING_DATA = "SA-1B (SA-1B Dataset Research License: research only)"
"""The weights may be used for any purpose; the images that they were trained on may not."""

PUBLISHED_DECODER_HEADS = 8

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

FETCH = f"python -m services.sam fetch {next(iter(FILES))}"


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights.

    Attributes:
        path: where it is.
        name: "vit_h" and the like, or the stem of a file of one's own.
        decoder_heads: attention heads of the mask decoder, which the shapes of the weights do not tell.
    """

    path: Path
    name: str
    decoder_heads: int


def locate(settings: SamSettings) -> Weights:
    """Find the published weights, known to be the published ones, or a file of one's own.

    Raises:
        WeightsError: it is not there, not the published one, or what belongs beside it is missing.
    """
    name = settings.sam_checkpoint
    if name in FILES:
        return Weights(weights_for(settings, FILES[name], "sam"), name, PUBLISHED_DECODER_HEADS)
    for path in (settings.weights_dir / name, Path(name)):
        if path.is_file():
            return Weights(path, path.stem, _heads(path))
    raise WeightsError(
        f"{settings.weights_dir / name} is not there. HOOKE_SAM_CHECKPOINT is one of {', '.join(FILES)}, or "
        f"a file of your own; get published weights with:\n  {FETCH}"
    )


def _heads(path: Path) -> int:
    """What the file beside a file of one's own says."""
    beside = path.with_suffix(".json")
    example = f'{{"decoder_heads": {PUBLISHED_DECODER_HEADS}}}'
    try:
        heads = json.loads(beside.read_text(encoding="utf-8"))["decoder_heads"]
    except FileNotFoundError:
        raise WeightsError(
            f"{beside} is not there. It says of {path.name} what its shapes do not tell, for weights that "
            f"were trained on from published ones: {example}"
        ) from None
    except (ValueError, KeyError, TypeError):
        heads = None
    if type(heads) is not int or heads < 1:
        raise WeightsError(f"{beside} must say {example}, or another number of heads")
    return heads
