"""Every documented model, kind of input and surface: through its own adapter to its simulator, or refused, and why."""

import pytest

# Their assertions explain themselves like those of test modules.
pytest.register_assert_rewrite("tests.providers.bench", "tests.providers.surfaces")
