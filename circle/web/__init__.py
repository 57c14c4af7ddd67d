"""HTTP without features: the routes facade, errors as problem+json, pagination, limits, documents."""
