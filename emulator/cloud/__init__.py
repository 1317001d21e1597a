"""The AWS process: MiniStack, with Lambda under the real runtime client and our corrections.

Runs under `build/emulator/ministack`.
"""
