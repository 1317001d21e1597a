"""Packages that functions of an executor import: found, made and checked here, unpacked there."""
