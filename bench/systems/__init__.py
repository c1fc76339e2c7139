"""The systems that the benchmarks start, load, read back and stop; one file each."""
