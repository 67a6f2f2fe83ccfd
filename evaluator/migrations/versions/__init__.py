"""One module for each step; they follow each other by `down_revision`."""
