"""Gemini: vision-language models of Google, asked over its API."""
