{
  local system = 'http://example.org/event',
  encounter_entry(ds, event, context):: {
    fullUrl: 'urn:uuid:' + event.event,
    resource: {
      resourceType: 'Encounter',
      identifier: [{ system: system, value: event.event }],
      subject: { reference: 'urn:uuid:' + event.trackedEntity },
      period: { start: std.native('moment')(event.completedAt) },
      serviceProvider: { display: std.get(context.units, event.orgUnit, { name: event.orgUnit }).name },
    },
    request: { method: 'PUT', url: 'Encounter?identifier=' + system + '|' + event.event },
  },
  resources_for_event(ds, event)::
    local found = ds.filter(event.dataValues, function(one, i) one.dataElement == 'Y3xF4qecAVw');
    [if std.length(found) > 0 then {
      resource: {
        resourceType: 'Observation',
        identifier: [{ system: system, value: event.event + '-systolic' }],
        encounter: { reference: 'Encounter?identifier=' + system + '|' + event.event },
        valueInteger: std.parseInt(found[0].value),
      },
      request: { method: 'PUT', url: 'Observation?identifier=' + system + '|' + event.event + '-systolic' },
    } else null],
}
