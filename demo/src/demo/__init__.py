"""Two teams, two Airflows, one command."""
