"""From images to objects: normalise, predict flows, follow them.

The same steps as the library's `CellposeModel.eval`, with its own functions. `eval` itself takes one image
at a time, guesses which axis is which, drops axes of length 1, and remembers `normalize=False` for whoever
calls next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from cellpose import core, dynamics, transforms, utils
from numpy.typing import NDArray

from hooke import masks
from hooke.errors import HookeError, InvalidRequestError
from runtime.batches import attempt
from runtime.tasks import Segmentation, SegmentTask
from services.cellpose.network import Network
from services.cellpose.preparation import Prepared, prepare
from services.cellpose.tiles import Floats, Plane, predict

utils.trange = range  # or stitching draws a progress bar into the log
torch.sparse.check_sparse_tensor_invariants.disable()  # the default, which PyTorch wants to hear said


def segment_images(
    network: Network, tasks: Sequence[SegmentTask], batch_size: int, max_tiles: int
) -> list[Segmentation | HookeError]:
    """Find the objects of each image; tiles of all but full volumes share forward passes.

    Args:
        network: on its device.
        tasks: images of any sizes, with parameters of any kind.
        batch_size: most tiles in one forward pass.
        max_tiles: most tiles of one task.

    Returns:
        For each task its answer, or why there is none: InvalidRequestError where the image is too small,
        becomes too small or too large when it is scaled, costs too much, or has intensities that are too
        large; DeadlineExceededError where nobody waits for the answer any more.
    """
    prepared = [attempt(prepare, task, network.tile_px, max_tiles) for task in tasks]
    planes = [
        Plane(pixels, each.scale, each.parameters.tile_overlap, each.task.abandoned)
        for each in prepared
        if isinstance(each, Prepared) and each.mode != "full"
        for pixels in each.pixels
    ]
    predicted = predict(network, planes, batch_size)
    return [
        attempt(_segment, network, each, predicted, batch_size) if isinstance(each, Prepared) else each
        for each in prepared
    ]


def _segment(
    network: Network, prepared: Prepared, predicted: Iterator[Floats], batch_size: int
) -> Segmentation:
    """Find the objects of one image, whose planes are next in `predicted` unless it is a full volume."""
    if prepared.mode == "full":
        found = _predict_volume(network, prepared, batch_size)
    else:
        planes = [next(predicted) for _ in prepared.pixels]
        prepared.task.abandoned.check()  # or planes may be missing
        found = np.stack(planes)
    if not np.isfinite(found).all():  # or it would look as if there were no objects
        raise InvalidRequestError.of_field(
            "image", "the intensities are too large to compute with; divide them by some factor"
        )
    flows, probability = found[..., :-1].transpose(3, 0, 1, 2), found[..., -1]
    labels = masks.relabel(_follow(network, prepared, flows, probability))
    return Segmentation(
        labels=labels if prepared.is_stack else labels[0],
        parameters=prepared.used,
        intensity_ranges=prepared.intensity_ranges,
        arrays=_arrays(prepared, flows, probability) if prepared.parameters.flows_returned else {},
    )


def _predict_volume(network: Network, prepared: Prepared, batch_size: int) -> Floats:
    """Z x H x W x 4: flows along Z, Y and X, cell probability; from planes across all three axes."""
    # The library goes through all planes in one call; what it calls is where it can be stopped.
    stop = network.register_forward_pre_hook(lambda *_: prepared.task.abandoned.check())
    try:
        found, _ = core.run_3D(
            network,
            transforms.resize_image_3d(prepared.pixels, [int(side) for side in prepared.sides]),
            batch_size=batch_size,
            tile_overlap=prepared.parameters.tile_overlap,
            bsize=network.tile_px,
        )
    finally:
        stop.remove()
    whole: Floats = transforms.resize_image_3d(found, prepared.pixels.shape[:3])
    return whole


def _follow(
    network: Network, prepared: Prepared, flows: Floats, probability: Floats
) -> NDArray[np.integer[Any]]:
    """Z x H x W labels: where the pixels end that follow the flows. `flows` are A x Z x H x W."""
    parameters = prepared.parameters
    how = {
        "niter": prepared.iterations,
        "cellprob_threshold": parameters.cell_probability_threshold,
        "flow_threshold": parameters.flow_threshold,
        "max_size_fraction": parameters.max_area_fraction,
        "device": network.device,
    }
    prepared.task.abandoned.check()
    least = parameters.min_area_px
    labels: NDArray[np.integer[Any]]
    if prepared.mode == "full":
        labels = dynamics.resize_and_compute_masks(flows, probability, do_3D=True, min_size=least, **how)
        return labels
    stitched = len(probability) > 1
    followed = []
    for z in range(len(probability)):
        prepared.task.abandoned.check()
        # Small pieces of a plane may belong to a large object of the stack.
        followed.append(
            dynamics.resize_and_compute_masks(
                flows[:, z], probability[z], min_size=-1 if stitched else least, **how
            )
        )
    labels = np.stack(followed)
    if stitched:
        labels = utils.stitch3D(labels, stitch_threshold=parameters.stitch_threshold)
        labels = utils.fill_holes_and_remove_small_masks(labels, min_size=least)
    return labels


def _arrays(prepared: Prepared, flows: Floats, probability: Floats) -> Mapping[str, Floats]:
    """What the request asks for beside the masks, without the axis Z for an image."""
    if not prepared.is_stack:
        flows, probability = flows[:, 0], probability[0]
    return {
        "flows": np.ascontiguousarray(flows),
        "cell_probability": np.ascontiguousarray(probability),
    }
