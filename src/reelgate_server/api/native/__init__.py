"""The native services. Every method validates, converts, calls a use case, and converts back."""
