"""Everything behind the gateway: which replicas serve what, and how they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.places import Connect, Place
from gateway.routes import EVALUATOR, Routes
from gateway.upstream import Health, Upstream
from hooke import errors

_RETRY_AFTER_S, _RETURN_S = 1.0, 5.0
"""Delay that is asked for where nothing can be reached: about what a service needs to be noticed again; and
where one served a moment ago, whose start the few attempts of a client must outlast."""


_PROFILES = frozenset({"sam", "cellpose", "llava", "openai", "gemini"})
"""Models whose service `make up` starts by a profile of their name, as docker-compose.yml has them."""


class Replicas:
    """The upstreams that serve one thing; they take turns."""

    def __init__(self, name: str, places: Sequence[Place]) -> None:
        self.name = name
        self._places = places
        self._turn = 0

    @property
    def upstreams(self) -> list[Upstream]:
        """Those that there are now; none where a name has no address."""
        return [upstream for place in self._places for upstream in place.upstreams.values()]

    def pick(self) -> Upstream:
        """The next one that serves; else one that can be reached, which says itself why it does not serve.

        Raises:
            UpstreamFailedError: none can be reached.
        """
        for wanted in ((Health.SERVING,), (Health.NOT_SERVING, Health.UNKNOWN)):
            able = [upstream for upstream in self.upstreams if upstream.health in wanted]
            if able:
                self._turn += 1
                return able[self._turn % len(able)]
        returns = any(upstream.returns for upstream in self.upstreams)
        raise errors.UpstreamFailedError(
            f"{self.name} {self.absence}",
            metadata={"upstream": self.name},
            retry_after_s=_RETURN_S if returns else _RETRY_AFTER_S,
        )

    @property
    def addresses(self) -> str:
        """Where they are, for messages."""
        return ", ".join(place.target for place in self._places)

    @property
    def absence(self) -> str:
        """What is said where none of them can be reached, as the end of a sentence."""
        question = f"cannot be reached at {self.addresses}; is its service started?"
        if self.name not in _PROFILES:
            return question
        return f"{question} For example: `make up PROFILES={self.name}`"

    @property
    def serving_count(self) -> int:
        """How many of them serve."""
        return sum(upstream.health is Health.SERVING for upstream in self.upstreams)


class Fleet:
    """All upstreams of the routes. An address that stands in several routes is one place.

    Args:
        routes: what is served where.
        connect: makes an upstream.
        changed: called after every change of an upstream's health, and when one has been retired.
    """

    def __init__(self, routes: Routes, connect: Connect, changed: Callable[[Upstream], None]) -> None:
        groups = {**routes.models, **({EVALUATOR: routes.evaluator} if routes.evaluator else {})}
        self._places = {
            address: Place(address, connect, changed)
            for addresses in groups.values()
            for address in addresses
        }
        replicas = {
            name: Replicas(name, [self._places[address] for address in addresses])
            for name, addresses in groups.items()
        }
        self.evaluator = replicas.pop(EVALUATOR, None)
        self.models: Mapping[str, Replicas] = replicas
        self.default_model = routes.default_model

    @property
    def upstreams(self) -> Mapping[str, Upstream]:
        """Every upstream that there is now, by host:port."""
        return {
            address: upstream
            for place in self._places.values()
            for address, upstream in place.upstreams.items()
        }

    def model(self, name: str) -> Replicas:
        """The replicas of a model; an empty name is the default model.

        Raises:
            UnknownModelError: there is none of this name.
        """
        replicas = self.models.get(name or self.default_model)
        if replicas is None:
            known = ", ".join(sorted(self.models))
            raise errors.UnknownModelError(
                f"there is no model {name[:128]!r}; there are {known}",
                metadata={"model": name, "models": known},
            )
        return replicas

    @property
    def serving(self) -> bool:
        """True if at least one upstream serves."""
        return any(upstream.health is Health.SERVING for upstream in self.upstreams.values())

    @property
    def replicas(self) -> list[Replicas]:
        """Of every model, and of the evaluator."""
        return [*self.models.values(), *([self.evaluator] if self.evaluator else [])]

    def start(self) -> None:
        """Begin to follow every name, and the health of every upstream."""
        for place in self._places.values():
            place.start()

    async def close(self) -> None:
        """Stop following and close every connection."""
        for place in self._places.values():
            await place.close()
