"""Forecast server for the Kronos model over HTTP."""
