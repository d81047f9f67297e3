"""The real process, killed with SIGKILL: what the disk holds is all that the next one gets."""
