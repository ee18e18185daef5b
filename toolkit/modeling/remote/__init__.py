"""Models on servers that speak OpenAI's protocol: their address, requests, retries, and their errors in plain words."""
