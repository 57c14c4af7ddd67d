"""Money: checkouts, subscriptions, invoices, payment attempts, refunds, the ledger. See docs/billing.md."""
