"""Contracts: parts of what a store offers that are of no interest to who only submits and works."""
