"""How gateway and operator log: JSON lines in which no error's text can carry a password."""
