"""Identity provider on eSignet's API, with a small identity system of its own.

Speaks: eSignet's OpenID Connect API below `/v1/esignet` (discovery, client management, the authorization API with
its envelope, token endpoint with private_key_jwt and PKCE, signed userinfo) and serves its own pages at `/authorize`,
which call those same endpoints. Called by: browsers of mothers, midwives and doctors; the back ends of relying,
registry and record; the bootstrap (client management). Calls: its PostgreSQL schema `esignet`; in production
the gateway that delivers one-time codes.
MOSIP eSignet can stand in its place. In the sandbox it knows the programme's demo people, takes the one-time code
111111, and shows what it would have sent at `/sandbox/inbox`.
"""
