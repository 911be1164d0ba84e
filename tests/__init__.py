"""Every test; STYLE section 10 says which folder holds what."""

import pytest

# Their assertions explain themselves like those of test modules.
pytest.register_assert_rewrite("tests.contract", "tests.support")
