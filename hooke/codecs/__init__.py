"""Images in and out: files, arrays and messages to Micrographs, and back.

Everything that is wrong with an image becomes one of the errors of `hooke.errors`, whatever a decoder
makes of it, and nothing of the size that a header claims is allocated before it was checked.
"""

from hooke.codecs.arrays import from_array
from hooke.codecs.files import decode, read, read_header
from hooke.codecs.messages import from_image_proto
from hooke.codecs.views import select_view
from hooke.codecs.write import encode

__all__ = ["decode", "encode", "from_array", "from_image_proto", "read", "read_header", "select_view"]
