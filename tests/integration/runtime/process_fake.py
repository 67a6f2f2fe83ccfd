"""A fake model service as a process of its own: `python process_fake.py COMPUTE_S LOAD_S`."""

import functools
import sys

from runtime.fakes import FakeModel
from runtime.server import main
from runtime.service import ModelService
from runtime.settings import ModelServerSettings


async def serve(settings: ModelServerSettings) -> None:
    compute_s, load_s = (float(text) for text in sys.argv[1:3])
    factory = functools.partial(FakeModel, compute_s=compute_s, load_s=load_s)
    await ModelService(FakeModel, factory, settings).run()


if __name__ == "__main__":
    main(ModelServerSettings, serve)
