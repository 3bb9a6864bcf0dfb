"""The enums of types.h as Python enums: one place where the shell learns the core's numbers."""
