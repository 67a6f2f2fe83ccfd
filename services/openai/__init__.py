"""The OpenAI proxy: models of OpenAI, and of any server that speaks its Responses or Chat Completions API."""
