"""Write-back: what is written in the record comes back to the registry, by the same table, and never echoes.

`feed` follows the record's history into a durable queue of sources (a visit at a clinic, an appointment, a value that
was changed); `worker` brings one source at a time: as an event of the stage that `write_back.yaml` names, or as a
change of the value it came from, under the rule of its field. Where the rule is `ask`, a person decides (`desk`).
`ours` keeps what the sync itself said, so that its own words are known when they come back.
"""
