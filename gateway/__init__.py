"""One address for every model: forwarding, routing, limits."""
