"""The real adapters before the simulated providers, on bad days: over real HTTP, in simulated time."""

import pytest

# Their assertions explain themselves like those of test modules.
pytest.register_assert_rewrite(
    "tests.simulation.vendors.audit", "tests.simulation.vendors.rules", "tests.simulation.vendors.safety"
)
