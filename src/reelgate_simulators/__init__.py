"""Simulated providers: real HTTP servers on loopback, for tests, demos and load tests.

Each is written from the provider's documented format alone and judged by the provider's official client. The server
never imports this package.
"""
