"""LLaVA and its kin: vision-language models of the Hugging Face Hub that answer in words."""
