"""The enums of huginn.h as Python enums."""
