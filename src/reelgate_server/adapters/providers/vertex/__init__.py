"""Google Vertex AI Veo."""
