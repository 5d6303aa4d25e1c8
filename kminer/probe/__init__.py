"""Asks the running kernel what it supports: cheapest and safest questions first, and nothing left behind."""
