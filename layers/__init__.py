"""Builds the Lambda layers, without Docker and for either architecture from any machine.

`build` gives the directory that becomes a layer's zip. It is meant to be called on every
synthesis: what is already built is found by a digest of everything that goes into it.
"""

from layers.builder import CACHE, build
from layers.catalogue import ALL, API, CODEC, MEDIA, POWERTOOLS, Layer
from layers.errors import CommandFailed, LayerBuildError, LayerInputError, ToolMissing
from layers.sizes import size_bytes
from layers.target import Target

__all__ = [
    "ALL",
    "API",
    "CACHE",
    "CODEC",
    "MEDIA",
    "POWERTOOLS",
    "CommandFailed",
    "Layer",
    "LayerBuildError",
    "LayerInputError",
    "Target",
    "ToolMissing",
    "build",
    "size_bytes",
]
