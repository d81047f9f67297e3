"""The whole of AEGIS on one seeded thread, or on threads, with faults on demand."""
