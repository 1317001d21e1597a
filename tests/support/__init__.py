"""Shared by tests: pictures, streams made with libvpx, and the standard vectors."""
