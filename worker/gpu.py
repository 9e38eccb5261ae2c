"""Which card of the machine a GPU of CUDA is."""

from __future__ import annotations

import ctypes


def bus_address(number: int) -> bytes:
    """Address on the PCI bus of the GPU that CUDA counts as ``number``.

    CUDA counts what ``CUDA_VISIBLE_DEVICES`` shows, the fastest first; NVIDIA's management library counts every card of the
    machine, by address.

    Raises
    ------
    OSError : CUDA's driver is not there, or has no such GPU.
    """
    cuda = ctypes.CDLL("libcuda.so.1")
    device, address = ctypes.c_int(), ctypes.create_string_buffer(32)
    for name, arguments in (
        ("cuInit", (0,)),
        ("cuDeviceGet", (ctypes.byref(device), number)),
        ("cuDeviceGetPCIBusId", (address, len(address), device)),
    ):
        if status := getattr(cuda, name)(*arguments):
            raise OSError(f"{name} of CUDA's driver ends with {status} for GPU {number}")
    return address.value
