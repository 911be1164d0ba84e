"""The gRPC surface: the only importer of generated code."""
