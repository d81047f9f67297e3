"""The proofs: pure functions, properties, contracts on ports, seeded simulation, real kills."""
