"""SAM, the Segment Anything Model: everything in an image, or what points and boxes mark."""
