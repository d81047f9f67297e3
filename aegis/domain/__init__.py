"""The pure rules of trading: values and functions, without clock, file, random or thread."""
