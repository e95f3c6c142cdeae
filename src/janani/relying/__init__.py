"""The relying party: the back-channel of "Verify with National ID", the only holder of its client's private key.

Speaks: `POST /authorizations` (begins a verification: an authorization request whose nonce and PKCE verifier stay
here), `POST /fetchUserInfo` (code → verified person; the shape of MOSIP's mock relying party, so it drops in for it)
and its JWKS. Called by: a registry's Routes, with `Authorization: ApiToken …`. Calls: an OpenID provider (our
`esignet` or MOSIP eSignet). What a claim becomes in the registry stands in the programme's `claims.yaml`.
"""
