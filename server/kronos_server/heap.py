"""Gives memory that was freed back to the system."""

import ctypes


def trim() -> bool:
    """Whether anything was given back. Between the caches of jobs that come and go, the C library's heap keeps holes
    that it fills and never returns, so that it grows for hours; glibc returns them when asked (malloc_trim(3))."""
    libc = ctypes.CDLL(None)
    # Other C libraries have no such function.
    return bool(libc.malloc_trim(0)) if hasattr(libc, "malloc_trim") else False
