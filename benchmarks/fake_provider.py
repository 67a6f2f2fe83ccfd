"""A provider on loopback for the proxies, `python -m benchmarks.fake_provider NAME`.

Prints its address, then answers every question after the same time, until its input ends.
"""

import sys
from dataclasses import replace

from tests.fakes.gemini import FakeGemini
from tests.fakes.http import Asked, FakeServer, Reply
from tests.fakes.openai import FakeOpenai

FAKES: dict[str, type[FakeServer]] = {"openai": FakeOpenai, "gemini": FakeGemini}
WAIT_S = 0.3
"""About the least that a real one takes for a short answer."""


def main(name: str) -> None:
    class Slow(FAKES[name]):  # type: ignore[misc]
        def reply(self, asked: Asked) -> Reply:
            self.asked.clear()
            return replace(super().reply(asked), wait_s=WAIT_S)

    with Slow() as fake:
        print(fake.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
