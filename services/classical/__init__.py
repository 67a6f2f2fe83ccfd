"""The embedded default: classical image analysis, without weights."""
