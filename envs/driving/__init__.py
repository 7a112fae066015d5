"""Driving worlds: the twins of highway-env."""
