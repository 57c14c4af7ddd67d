"""Circles: settings, tiers, prices, invitations."""
