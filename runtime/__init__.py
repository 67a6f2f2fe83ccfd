"""What every server process of Hooke shares: start, health, limits, batching, drain, metrics."""
