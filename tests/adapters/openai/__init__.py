"""What is special to the adapter for OpenAI-shaped servers."""
