"""Tests of the pure rules: no clock, no file, no actor."""
