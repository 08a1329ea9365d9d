"""How dates and times are written, by locale; numbers are Django's own."""
