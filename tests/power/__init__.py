"""What the machine may do to a store: cut its power, refuse a call, turn a bit, fill its disk."""
