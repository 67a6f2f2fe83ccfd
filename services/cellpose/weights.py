"""The published weights of Cellpose-SAM."""

from __future__ import annotations

from types import MappingProxyType

from runtime.weights import WeightsFile

LICENCE = "BSD-3-Clause, trained partly on CC-BY-NC data"
TRAINING_DATA = "several data sets, some of them CC-BY-NC"
"""The repository of the weights names BSD-3-Clause; the authors name the data."""

_REVISION = "7c61431b5fbb078f3296754bd15d9f51b320f837"
_SOURCE = f"https://huggingface.co/mouseland/cellpose-sam/resolve/{_REVISION}"

FILES = MappingProxyType(
    {
        name: WeightsFile(name, name, f"{_SOURCE}/{name}", size_bytes, sha256, LICENCE)
        for name, size_bytes, sha256 in (
            ("cpsam", 1_233_587_898, "e1440429eb384f95afe32bcba6510f90d518eaedc917ede549bed6804004abe2"),
            ("cpsam_v2", 1_233_586_851, "0f1cc3f7ecdd8a037a57c6c48d9d8921391be4cbce3fa9f13c3e3a2e1253c667"),
        )
    }
)
"""By name, that of the paper first. The library's own default is `cpsam_v2` since its version 4.2."""
