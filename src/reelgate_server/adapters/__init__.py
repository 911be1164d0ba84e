"""One technology per module; each adapter implements a port."""
