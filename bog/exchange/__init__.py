"""A local Lighter to rehearse on: real sockets, real signatures, the venue's rules, no real money.

It shares nothing with the bot's side of the venue (`bog.lighter`): codec, nonces, fees and matching are
its own, so that the two check each other. docs/exchange.md says what it does and what it does not.

    spec, tiers, refusal      what a market, a tier and a refusal are
    codec                     a transaction: fields, ranges, hash, signature; auth tokens
    accounts, orders, book    who owns what; one order; queues in price-time order
    margin                    what an account is worth, and what it may still do
    matching                  one taker against the book: self-trade, reduce-only, fees
    engine                    what each kind of transaction does when its turn comes
    gate                      what the API checks before it: keys, signatures, nonces, limits
    venue                     all of it on one clock: queues, expiry, funding, liquidation
    public                    where the public market comes from
    views, feed, socket, rest how it is said on the wire
    faults, control, ledger   what goes wrong by script, and what is true
    store                     what survives a restart
"""
