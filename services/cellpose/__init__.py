"""Cellpose-SAM: cells and nuclei by flows, in images, stacks and volumes."""
