"""Models on servers that speak OpenAI's protocol: address, requests, retries, and their errors in plain words."""
