"""The commands of `eskit`, a module each."""
