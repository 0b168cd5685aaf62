"""The Kronos model: exact, fast K-line forecasts."""
