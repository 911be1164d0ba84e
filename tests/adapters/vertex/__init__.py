"""The Vertex adapter: its pure parts on literal payloads, the rest in front of the simulator."""
