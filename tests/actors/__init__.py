"""Each actor by itself, on both runtimes."""
