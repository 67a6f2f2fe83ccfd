"""Hooke: ask any model about a micrograph, through one address."""
