"""The rules, pure: no I/O, no clock, no randomness, nothing imported from outside the standard library."""
