"""The `Provider` over any server that speaks the OpenAI Videos shape."""
