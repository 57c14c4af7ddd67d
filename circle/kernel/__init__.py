"""What every feature stands on: time, money, ids, errors, units of work. Knows no feature and no Flask."""
